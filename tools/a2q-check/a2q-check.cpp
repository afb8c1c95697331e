//===- a2q-check.cpp - Prove the accumulators of a network ----------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Two questions in this order. Does what the model claims hold: every
// accumulator type and schedule that is in it, and the plain integers of
// linalg and tosa ops? And what is the least that could be claimed: the table
// shows the accumulators that the chosen bound proves.
//
//===----------------------------------------------------------------------===//

#include "a2q/Analysis/Report.h"
#include "a2q/Pipelines/Prove.h"
#include "a2q/Tools/ModelLoader.h"
#include "a2q/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/WithColor.h"

using namespace llvm;
using namespace a2q;

namespace {
struct Options {
  cl::opt<std::string> model{cl::Positional, cl::Required,
                             cl::desc("<model.mlir|model.onnx>")};
  cl::opt<std::string> bound{
      "bound",
      cl::desc("the guarantee: datatype, a2q, a2q-plus, exact or centred "
               "(default: exact)"),
      cl::value_desc("name"), cl::init("exact")};
  cl::opt<std::string> report{"report", cl::desc("write a report as JSON"),
                              cl::value_desc("file.json")};
};
} // namespace

static int fail(const Twine &message) {
  WithColor::error(errs()) << message << '\n';
  return 1;
}

/// Proves accumulators that are plain integers, which no type of this project
/// speaks for: every partial sum in any order.
static mlir::LogicalResult provePlain(mlir::ModuleOp module) {
  RangeAnalysis ranges(module);
  mlir::WalkResult result =
      module.walk([&](AccumulatingOpInterface op) -> mlir::WalkResult {
        if (!op.isAccumulating() || !op.getAccumulatorType().isIntOrFloat())
          return mlir::WalkResult::advance();
        std::string reason;
        mlir::FailureOr<AccumulatingOp> layer =
            analyzeAccumulator(op, ranges, reason);
        if (failed(layer))
          return op.emitError()
                 << "the accumulator cannot be proven: " << reason;
        StageNeed need = layer->prove(layer->schedule()).front();
        unsigned has = op.getAccumulatorType().getIntOrFloatBitWidth();
        if (need.prefixWidth <= has)
          return mlir::WalkResult::advance();
        return op.emitError()
               << "channel " << need.channel << " needs " << need.prefixWidth
               << " bits, the accumulator has " << has;
      });
  return mlir::failure(result.wasInterrupted());
}

static mlir::LogicalResult prove(mlir::ModuleOp module, StringRef bound) {
  if (failed(provePlain(module)))
    return mlir::failure();
  mlir::PassManager pm(module.getContext());
  pm.addPass(createA2QVerifyAccumulators());
  ProveOptions options;
  options.bound = bound.str();
  buildProvePipeline(pm, options);
  return pm.run(module);
}

int main(int argc, char **argv) {
  Options options;
  cl::ParseCommandLineOptions(
      argc, argv, "a2q-check: prove the accumulators of a network\n");
  if (!parseBound(std::string_view(options.bound.getValue())))
    return fail("unknown bound '" + options.bound +
                "', expected datatype, a2q, a2q-plus, exact or centred");
  std::string error;
  if (!options.report.empty() && failed(checkReportName(options.report, error)))
    return fail(error);

  ModelContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module = context.load(options.model);
  if (!module || failed(prove(*module, options.bound)))
    return 1;
  mlir::FailureOr<Report> report = buildReport(*module);
  if (failed(report))
    return 1;
  if (!options.report.empty() &&
      failed(writeReport(*report, options.report, error)))
    return fail(error);
  // Standard output belongs to the report when it goes there.
  if (options.report != "-")
    writeTable(*report, outs());
  return 0;
}
