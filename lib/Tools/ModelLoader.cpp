//===- ModelLoader.cpp - Networks from files --------------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Tools/ModelLoader.h"

#include "a2q/Analysis/Report.h"
#include "a2q/IR/A2QDialect.h"
#include "a2q/InitAll.h"
#include "a2q/Tools/Boundary.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Support/FileUtilities.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/WithColor.h"

using namespace mlir;
using namespace a2q;

namespace {
/// Prints diagnostics with the name of the node or layer that they are about: a
/// model's node has no line to point at.
class NamingHandler : public SourceMgrDiagnosticHandler {
public:
  NamingHandler(llvm::SourceMgr &sources, MLIRContext *context)
      : SourceMgrDiagnosticHandler(sources, context) {
    setHandler([this](Diagnostic &diagnostic) { print(diagnostic); });
  }

private:
  /// What is about no place has none before it.
  static void printAlone(Diagnostic &diagnostic) {
    llvm::WithColor::error(llvm::errs()) << diagnostic.str() << '\n';
    for (Diagnostic &note : diagnostic.getNotes())
      llvm::WithColor::note(llvm::errs()) << note.str() << '\n';
  }

  void print(Diagnostic &diagnostic) {
    std::string text = diagnostic.str();
    if (isa<UnknownLoc>(diagnostic.getLocation()) &&
        diagnostic.getSeverity() == DiagnosticSeverity::Error)
      return printAlone(diagnostic);
    StringRef name = locationName(diagnostic.getLocation());
    // The importer names nodes itself, and the base class prints a name that
    // is all there is of a location.
    if (name.empty() || StringRef(text).contains(("'" + name + "'").str()) ||
        !diagnostic.getLocation()->findInstanceOf<FileLineColLoc>())
      return emitDiagnostic(diagnostic);
    Diagnostic named(diagnostic.getLocation(), diagnostic.getSeverity());
    named << "'" << name << "': " << text;
    for (Diagnostic &note : diagnostic.getNotes())
      named.attachNote(note.getLocation()) << note.str();
    emitDiagnostic(named);
  }
};
} // namespace

struct ModelContext::Impl {
  static DialectRegistry registry() {
    DialectRegistry all;
    a2q::registerAllDialects(all);
    return all;
  }

  llvm::SourceMgr sources;
  // One thread: diagnostics come in order, and networks are small.
  MLIRContext context{registry(), MLIRContext::Threading::DISABLED};
  NamingHandler handler{sources, &context};
};

ModelContext::ModelContext() : impl(std::make_unique<Impl>()) {
  // Locations name the layer; printing the op would print its weights.
  impl->context.printOpOnDiagnostic(false);
  // The tools make its types for networks that do not mention it.
  impl->context.loadDialect<A2QDialect>();
}
ModelContext::~ModelContext() = default;
MLIRContext *ModelContext::operator->() { return &impl->context; }
MLIRContext *ModelContext::get() { return &impl->context; }

OwningOpRef<ModuleOp> ModelContext::load(StringRef path,
                                         const ImportOptions &options) {
  auto fail = [&](const Twine &message) {
    emitError(UnknownLoc::get(get())) << "'" << path << "': " << message;
    return nullptr;
  };
  if (llvm::sys::fs::is_directory(path))
    return fail("is a directory");
  if (path.ends_with(".onnx"))
    return importONNX(path, get(), options);
  std::string error;
  std::unique_ptr<llvm::MemoryBuffer> file = openInputFile(path, &error);
  if (!file) {
    emitError(UnknownLoc::get(get())) << error;
    return nullptr;
  }
  if (!path.ends_with(".mlir") && path != "-")
    return fail("is no model: the name of a model ends with .onnx or .mlir");
  impl->sources.AddNewSourceBuffer(std::move(file), llvm::SMLoc());
  auto module = parseSourceFile<ModuleOp>(impl->sources, get());
  if (!module || failed(adaptBoundary(*module, options.shapes)))
    return nullptr;
  return module;
}

OwningOpRef<ModuleOp>
ModelContext::loadForInputs(StringRef path, std::vector<InputShape> shapes) {
  ImportOptions options;
  options.shapes = std::move(shapes);
  if (!path.ends_with(".onnx"))
    return load(path, options);
  options.prefersFileShapes = true;
  bool hasBatch = llvm::any_of(options.shapes, [](const InputShape &shape) {
    return !shape.sizes.empty() && shape.sizes.front() > 1;
  });
  if (hasBatch) {
    ScopedDiagnosticHandler silent(get(), [](Diagnostic &) {});
    if (auto module = importONNX(path, get(), options))
      return module;
    for (InputShape &shape : options.shapes)
      if (!shape.sizes.empty())
        shape.sizes.front() = 1;
  }
  return importONNX(path, get(), options);
}
