//===- a2q-compile.cpp - Compile a network to an object file ----*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Execution/ObjectFile.h"
#include "a2q/Execution/Signature.h"
#include "a2q/Support/OutputFile.h"
#include "a2q/Target/CHeader.h"
#include "a2q/Tools/CompileOptions.h"
#include "a2q/Tools/ModelLoader.h"
#include "a2q/Tools/Npy.h"
#include "mlir/IR/Remarks.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace llvm;
using namespace a2q;

namespace {

struct Options {
  cl::opt<std::string> model{cl::Positional, cl::Required,
                             cl::desc("<model.onnx or model.mlir>"),
                             cl::cat(getToolOptions())};
  cl::opt<std::string> output{
      "o", cl::Required,
      cl::desc("the object file; the header is written beside it"),
      cl::value_desc("m.o")};
  cl::opt<std::string> prefix{
      "prefix",
      cl::desc("what the names of the C functions begin with (default: the "
               "object file's name)"),
      cl::value_desc("name"), cl::cat(getToolOptions())};
  cl::opt<unsigned> threads{
      "threads",
      cl::desc("how many threads share the work of each layer (default: 1); "
               "more than one need LLVM's OpenMP library where the object file "
               "is linked. The results are the same for any number"),
      cl::value_desc("N"), cl::init(1), cl::cat(getToolOptions())};
  cl::opt<bool> remarks{
      "remarks",
      cl::desc("print which kernel each layer gets, and why not another"),
      cl::init(false), cl::cat(getToolOptions())};
  CompileOptions compile;
  ShapeOption shapes;
};

} // namespace

/// Remarks about kernels become diagnostics.
static mlir::LogicalResult printKernels(mlir::MLIRContext &context) {
  mlir::remark::RemarkCategories categories;
  categories.passed = "a2q-.*";
  return mlir::remark::enableOptimizationRemarks(
      context, nullptr,
      std::make_unique<mlir::remark::RemarkEmittingPolicyAll>(), categories,
      /*printAsEmitRemarks=*/true);
}

/// True when all went well; false after a diagnostic.
static Expected<bool> compile(const Options &options) {
  Expected<CpuTarget> target = options.compile.getTarget();
  if (!target)
    return target.takeError();
  if (options.threads < 1 || options.threads > 1024)
    return createStringError("--threads is " + Twine(options.threads) +
                             "; it takes 1 to 1024");
  if (options.threads > 1 && options.compile.checkAccumulators)
    return createStringError("--check-accumulators reports the first failure, "
                             "in the order of one thread; leave --threads out");
  std::string stem = options.prefix.empty()
                         ? sys::path::stem(options.output).str()
                         : options.prefix.getValue();
  std::optional<std::string> prefix = makeCPrefix(stem);
  if (!prefix || (!options.prefix.empty() && *prefix != options.prefix))
    return createStringError("'" + stem +
                             "' cannot begin the name of a C function; give "
                             "another with --prefix");
  if (sys::path::extension(options.output) == ".h")
    return fileError(options.output, "is the name of the header, which is "
                                     "written beside the object file");
  SmallString<128> header(options.output);
  sys::path::replace_extension(header, "h");
  FileNames files;
  files.read(options.model, "the model");
  files.write(options.output);
  files.write(header);
  options.compile.addFiles(files);
  if (Error error = files.check())
    return std::move(error);

  ModelContext context;
  if (options.remarks && failed(printKernels(*context.get())))
    return createStringError("remarks cannot be printed");
  Expected<ImportOptions> shapes = options.shapes.parse();
  if (!shapes)
    return shapes.takeError();
  mlir::OwningOpRef<mlir::ModuleOp> module =
      context.load(options.model, *shapes);
  if (!module)
    return false;
  mlir::FailureOr<Signature> signature = getSignature(*module);
  if (failed(signature) || failed(options.compile.prove(*module, *target)) ||
      failed(options.compile.lower(*module, *target, *prefix, options.threads)))
    return false;
  auto object = compileToObject(*module, *target);
  if (!object)
    return object.takeError();

  std::string headerText;
  raw_string_ostream os(headerText);
  writeCHeader(os, *signature, *prefix, options.compile.checkAccumulators,
               options.threads);
  OutputContents contents[] = {{options.output, (*object)->getBuffer()},
                               {header, headerText}};
  if (Error error = writeOutputFiles(contents))
    return std::move(error);
  return true;
}

int main(int argc, char **argv) {
  // LLVM's libraries bring one of this name.
  releaseOption("threads");
  Options options;
  parseCommandLine(argc, argv,
                   "a2q-compile: a network as an object file and a C header\n");
  return exitStatus(compile(options));
}
