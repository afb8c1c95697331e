//===- a2q-check.cpp - Prove the accumulators of a network ----------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Three questions. --saturation asks one about other runtimes, see
// Saturation.h. Without it, two in this order. Does what the model claims hold:
// every accumulator type and schedule that is in it, and the plain integers of
// linalg and tosa ops? And what could be claimed: the table shows the narrowest
// accumulators that the chosen bound proves, or those that a2q-run and
// a2q-compile choose for the same --accumulator and --constrain.
//
//===----------------------------------------------------------------------===//

#include "Saturation.h"

#include "a2q/Conversion/EstimateCosts.h"
#include "a2q/Tools/CompileOptions.h"
#include "a2q/Tools/ModelLoader.h"
#include "llvm/Support/CommandLine.h"

using namespace llvm;
using namespace a2q;

namespace {
struct Options {
  cl::opt<std::string> model{cl::Positional, cl::Required,
                             cl::desc("<model.mlir|model.onnx>"),
                             cl::cat(getToolOptions())};
  cl::opt<std::string> bound{
      "bound",
      cl::desc("the guarantee of the narrowest accumulators: datatype, a2q, "
               "a2q-plus, exact or centred (default: exact)"),
      cl::value_desc("name"), cl::init("exact"), cl::cat(getToolOptions())};
  CompileOptions compile;
  ShapeOption shapes;
  SaturationCommand saturation;
};
} // namespace

/// The processor; an error when options have no meaning here.
static Expected<CpuTarget> verify(const Options &options) {
  if (Error error = options.saturation.verifyAbsent())
    return error;
  if (!parseBound(std::string_view(options.bound.getValue())))
    return createStringError(
        "unknown bound '" + options.bound +
        "', expected datatype, a2q, a2q-plus, exact or centred");
  if (options.bound.getNumOccurrences() && options.compile.chooses())
    return createStringError("--bound is for the narrowest accumulators; "
                             "leave it out with --accumulator or --constrain");
  if (options.compile.checkAccumulators ||
      options.compile.accumulator == "given")
    return createStringError("--check-accumulators and --accumulator=given "
                             "are for programs; use a2q-run or a2q-compile");
  return options.compile.getTarget();
}

/// Checks what the model claims, then chooses accumulators.
static mlir::LogicalResult prove(mlir::ModuleOp module, const Options &options,
                                 const CpuTarget &target) {
  if (failed(proveClaims(module)))
    return mlir::failure();
  if (options.compile.chooses())
    return options.compile.choose(module, target);
  return inferNarrowest(module, options.bound);
}

/// True when all went well; false after a diagnostic.
static Expected<bool> check(const Options &options) {
  Expected<CpuTarget> target = verify(options);
  if (!target)
    return target.takeError();
  FileNames files;
  files.read(options.model, "the model");
  options.compile.addFiles(files);
  if (Error error = files.check())
    return std::move(error);
  ModelContext context;
  Expected<ImportOptions> shapes = options.shapes.parse();
  if (!shapes)
    return shapes.takeError();
  mlir::OwningOpRef<mlir::ModuleOp> module =
      context.load(options.model, *shapes);
  if (!module || failed(prove(*module, options, *target)))
    return false;
  mlir::FailureOr<Report> report = buildReport(*module);
  if (failed(report))
    return false;
  if (!options.compile.report.empty())
    estimateCosts(*module, *report);
  report->model = options.model;
  // The narrowest accumulators are the same on every processor.
  if (options.compile.chooses())
    report->target = target->getCpu().str();
  if (failed(options.compile.writeReport(*module, *report)))
    return false;
  // Standard output belongs to the report when it goes there.
  if (options.compile.report != "-")
    writeTable(*report, outs());
  return true;
}

int main(int argc, char **argv) {
  Options options;
  parseCommandLine(argc, argv,
                   "a2q-check: prove the accumulators of a network\n");
  if (options.saturation.enabled) {
    if (options.bound.getNumOccurrences())
      return reportError(
          createStringError("--bound has no meaning with --saturation"));
    Expected<int> status =
        options.saturation.run(options.model, options.compile, options.shapes);
    return status ? *status : reportError(status.takeError());
  }
  return exitStatus(check(options));
}
