//===- CompileOptions.cpp - What the tools do with a network ----*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Tools/CompileOptions.h"

#include "a2q/IR/A2QOps.h"
#include "a2q/Pipelines/ToLLVM.h"
#include "a2q/Transforms/Passes.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/WithColor.h"

using namespace llvm;
using namespace a2q;

std::optional<ConstraintSpec> a2q::parseConstraint(StringRef text) {
  ConstraintSpec options;
  SmallVector<StringRef> parts;
  text.split(parts, ':');
  auto [width, tile] = parts[0].split('x');
  bool isTiled = parts[0].contains('x');
  if (width.getAsInteger(10, options.width) || options.width < 1 ||
      options.width > 64 || parts.size() > 3 ||
      is_contained(ArrayRef(parts).drop_front(), "") ||
      (isTiled && (tile.getAsInteger(10, options.tile) || options.tile < 1)))
    return std::nullopt;
  if (parts.size() > 1)
    options.method = parts[1].str();
  if (parts.size() > 2)
    options.bound = parts[2].str();
  return options;
}

Error a2q::constraintError(StringRef text) {
  return createStringError("--constrain is '" + text +
                           "'; it takes WIDTH[xTILE][:METHOD[:BOUND]], the "
                           "width from 1 to 64, the tile from 1");
}

cl::OptionCategory &a2q::getToolOptions() {
  static cl::OptionCategory category("Options");
  return category;
}

void a2q::parseCommandLine(int argc, char **argv, StringRef overview) {
  cl::HideUnrelatedOptions(getToolOptions());
  cl::ParseCommandLineOptions(argc, argv, overview);
}

void CompileOptions::addFiles(FileNames &files) const {
  files.read(constrainOverrides, "the file of overrides");
  files.write(report);
}

Expected<CpuTarget> CompileOptions::getTarget() const {
  Expected<CpuTarget> target = CpuTarget::get(targetCpu);
  if (target)
    if (Error error = verify(*target))
      return std::move(error);
  return target;
}

Error CompileOptions::verify(const CpuTarget &target) const {
  static constexpr StringLiteral widths[] = {"auto", "32", "16", "8", "given"};
  if (!is_contained(widths, accumulator))
    return createStringError("--accumulator is '" + accumulator +
                             "'; it takes auto, 32, 16, 8 or given");
  if (accumulator == "given" && !checkAccumulators)
    return createStringError("--accumulator=given trusts types that nothing "
                             "proves; it needs --check-accumulators");
  if (!constrain.empty() && !parseConstraint(constrain))
    return constraintError(constrain);
  if (constrain.empty() && !constrainOverrides.empty())
    return createStringError("--constrain-overrides is for single layers; it "
                             "needs --constrain for the others");
  std::string reason;
  if (!report.empty() && failed(checkReportName(report, reason)))
    return createStringError(reason);
  if (isa.empty())
    return Error::success();
  if (!CpuTarget::isKnownIsa(isa))
    return createStringError("--isa is '" + isa +
                             "'; it takes portable, avx2, avx512bw or "
                             "avx512vnni");
  if (StringRef lacking = target.lackingFor(isa); !lacking.empty())
    return createStringError("--isa=" + isa + " needs " + lacking +
                             ", which the processor '" + target.getCpu() +
                             "' lacks");
  return Error::success();
}

std::optional<unsigned>
CompileOptions::getInnerWidth(const CpuTarget &target) const {
  unsigned width;
  if (!StringRef(accumulator).getAsInteger(10, width))
    return width;
  if (accumulator == "given" || !constrain.empty())
    return std::nullopt;
  // One vpdpbusd multiplies and adds into 32 bits what takes two instructions
  // with 16-bit accumulators, and three with 32-bit ones without VNNI.
  StringRef chosen = isa.empty() ? target.bestIsa() : StringRef(isa);
  return chosen == "avx512vnni" ? 32 : 16;
}

/// Whether everything that reads the sums takes them as 32 bits wide.
static bool allowsFullWidth(AccumulatingOpInterface op) {
  return all_of(op->getUsers(), [](mlir::Operation *user) {
    auto decode = dyn_cast<DecodeOp>(user);
    return !decode || decode.getType().getElementTypeBitWidth() >= 32;
  });
}

/// Gives ops whose sums are proven to fit fewer bits an accumulator of 32 bits.
static mlir::LogicalResult useFullWidth(mlir::ModuleOp module) {
  SmallVector<AccumulatingOpInterface> ops;
  module.walk([&](AccumulatingOpInterface op) {
    auto type = dyn_cast<AccumulatorType>(op.getAccumulatorType());
    if (type && type.getStages().size() == 1 && type.getWidth() < 32 &&
        allowsFullWidth(op))
      ops.push_back(op);
  });
  auto type = AccumulatorType::get(module.getContext(), 32);
  for (AccumulatingOpInterface op : ops) {
    mlir::IRRewriter rewriter(op);
    if (failed(op.rebuildWithAccumulator(rewriter, type, nullptr)))
      return op->emitOpError("cannot hold an accumulator of 32 bits");
  }
  return mlir::success();
}

bool CompileOptions::chooses() const {
  return accumulator.getNumOccurrences() || !constrain.empty();
}

mlir::LogicalResult CompileOptions::choose(mlir::ModuleOp module,
                                           const CpuTarget &target) const {
  mlir::PassManager choose(module.getContext());
  if (std::optional<ConstraintSpec> constraint = parseConstraint(constrain)) {
    A2QConstrainWeightsOptions options;
    options.width = constraint->width;
    options.tile = constraint->tile;
    options.method = constraint->method;
    options.bound = constraint->bound;
    options.overridesFile = constrainOverrides;
    choose.addPass(createA2QConstrainWeights(options));
  }
  std::optional<unsigned> inner = getInnerWidth(target);
  if (inner) {
    A2QStageAccumulatorsOptions options;
    options.inner = *inner;
    choose.addPass(createA2QStageAccumulators(options));
  }
  if (failed(choose.run(module)))
    return mlir::failure();
  if (inner == 32 && failed(useFullWidth(module)))
    return mlir::failure();

  if (accumulator == "given")
    return mlir::success();
  // Nothing before this is trusted.
  mlir::PassManager verify(module.getContext());
  verify.addPass(createA2QVerifyAccumulators());
  return verify.run(module);
}

mlir::LogicalResult CompileOptions::writeReport(mlir::ModuleOp module,
                                                const Report &facts) const {
  std::string error;
  if (report.empty() || succeeded(a2q::writeReport(facts, report, error)))
    return mlir::success();
  return mlir::emitError(mlir::UnknownLoc::get(module.getContext())) << error;
}

mlir::LogicalResult CompileOptions::prove(mlir::ModuleOp module,
                                          const CpuTarget &target) const {
  if (failed(choose(module, target)))
    return mlir::failure();
  if (report.empty())
    return mlir::success();
  mlir::FailureOr<Report> facts = buildReport(module);
  if (failed(facts))
    return mlir::failure();
  facts->target = target.getCpu().str();
  return writeReport(module, *facts);
}

mlir::LogicalResult CompileOptions::lower(mlir::ModuleOp module,
                                          const CpuTarget &target,
                                          StringRef prefix) const {
  mlir::PassManager pm(module.getContext());
  ToLLVMOptions options;
  options.targetCpu = targetCpu.getValue();
  options.isa = isa.empty() ? target.bestIsa().str() : isa.getValue();
  options.checkAccumulators = checkAccumulators.getValue();
  options.prefix = prefix.str();
  buildToLLVMPipeline(pm, options);
  return pm.run(module);
}

int a2q::reportError(Error error) {
  handleAllErrors(std::move(error), [](const ErrorInfoBase &info) {
    WithColor::error(errs()) << info.message() << '\n';
  });
  return 1;
}

int a2q::exitStatus(Expected<bool> result) {
  if (!result)
    return reportError(result.takeError());
  return *result ? 0 : 1;
}
