//===- a2q-translate.cpp - Models of other formats to and from MLIR -------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The registered translations, as in mlir-translate. Its own main opens the
// output before it reads the input: a model that cannot be imported would cost
// the file that is there, and an output of the input's name the input.
//
//===----------------------------------------------------------------------===//

#include "a2q/Frontend/ONNX/Export.h"
#include "a2q/Frontend/ONNX/Import.h"
#include "a2q/InitAll.h"
#include "a2q/Support/OutputFile.h"
#include "a2q/Tools/CompileOptions.h"
#include "a2q/Tools/ModelLoader.h"
#include "a2q/Transforms/Entry.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Tools/mlir-translate/Translation.h"
#include "llvm/Support/SourceMgr.h"

using namespace llvm;
using namespace a2q;

namespace {
struct Options {
  cl::opt<std::string> input{cl::Positional, cl::desc("<model>"),
                             cl::init("-")};
  cl::opt<std::string> output{"o", cl::desc("the file to write"),
                              cl::value_desc("file"), cl::init("-")};
  cl::opt<const mlir::Translation *, false, mlir::TranslationParser>
      translation{"", cl::desc("Translations:"), cl::Required};
};
} // namespace

/// True when all went well; false after a diagnostic.
static Expected<bool> translate(const Options &options) {
  if (Error error = checkOutputName(options.output, options.input))
    return std::move(error);
  std::string reason;
  std::unique_ptr<MemoryBuffer> file =
      mlir::openInputFile(options.input, &reason);
  if (!file)
    return createStringError(reason);
  auto sources = std::make_shared<SourceMgr>();
  sources->AddNewSourceBuffer(std::move(file), SMLoc());

  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  context.printOpOnDiagnostic(false);
  mlir::SourceMgrDiagnosticHandler handler(*sources, &context);
  std::string text;
  raw_string_ostream os(text);
  if (failed((*options.translation.getValue())(sources, os, &context)))
    return false;
  if (Error error = writeOutputFile(options.output, text))
    return createStringError("'" + options.output + "': cannot be written: " +
                             toString(std::move(error)));
  return true;
}

static void registerONNXExport(StringRef name, StringRef description,
                               ONNXForm form) {
  mlir::TranslateFromMLIRRegistration registration(
      name, description,
      [=](mlir::ModuleOp module, raw_ostream &os) -> mlir::LogicalResult {
        mlir::FailureOr<mlir::func::FuncOp> entry = findEntry(module);
        if (failed(entry))
          return mlir::failure();
        mlir::FailureOr<std::string> bytes = exportONNX(*entry, form);
        if (failed(bytes))
          return mlir::failure();
        os << *bytes;
        return mlir::success();
      },
      [](mlir::DialectRegistry &registry) {
        a2q::registerAllDialects(registry);
      });
}

int main(int argc, char **argv) {
  registerONNXImport();
  registerONNXExport("export-onnx",
                     "Export a network to ONNX, its layers in QDQ form",
                     ONNXForm::QDQ);
  registerONNXExport("export-qonnx",
                     "Export a network to ONNX with the Quant nodes of QONNX",
                     ONNXForm::QONNX);
  mlir::registerAsmPrinterCLOptions();
  Options options;
  cl::ParseCommandLineOptions(argc, argv, "a2q: import and export models\n");
  Expected<bool> result = translate(options);
  if (!result)
    return reportError(result.takeError());
  return *result ? 0 : 1;
}
