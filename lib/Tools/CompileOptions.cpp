//===- CompileOptions.cpp - What the tools do with a network ----*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Tools/CompileOptions.h"

#include "a2q/Conversion/EstimateCosts.h"
#include "llvm/ADT/STLExtras.h"
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

void a2q::releaseOption(StringRef name) {
  auto &registered = cl::getRegisteredOptions();
  if (auto found = registered.find(name); found != registered.end())
    found->second->removeArgument();
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
  if (constrain.getNumOccurrences() && !parseConstraint(constrain))
    return constraintError(constrain);
  if (constrain.empty() && !constrainOverrides.empty())
    return createStringError("--constrain-overrides is for single layers; it "
                             "needs --constrain for the others");
  std::string reason;
  if (!report.empty() && failed(checkReportName(report, reason)))
    return createStringError(reason);
  static constexpr StringLiteral uses[] = {"auto", "always", "never"};
  if (!is_contained(uses, planes))
    return createStringError("--planes is '" + planes +
                             "'; it takes auto, always or never");
  if (!is_contained(uses, lookUps) && lookUps != "16" && lookUps != "64")
    return createStringError("--look-ups is '" + lookUps +
                             "'; it takes auto, always, never, 16 or 64");
  if (isa.empty())
    return Error::success();
  if (!CpuTarget::isKnownIsa(isa))
    return createStringError("--isa is '" + isa +
                             "'; it takes portable, avx2, avx512bw, "
                             "avx512vnni or avx512vbmi");
  if (StringRef lacking = target.lackingFor(isa); !lacking.empty())
    return createStringError("--isa=" + isa + " needs " + lacking +
                             ", which the processor '" + target.getCpu() +
                             "' lacks");
  return Error::success();
}

AccumulatorChoice CompileOptions::getChoice() const {
  AccumulatorChoice choice;
  if (!StringRef(accumulator).getAsInteger(10, choice.width))
    choice.kind = AccumulatorChoice::Width;
  else if (accumulator == "given")
    choice.kind = AccumulatorChoice::Given;
  choice.constraint = parseConstraint(constrain);
  choice.overridesFile = constrainOverrides;
  choice.isa = isa;
  return choice;
}

bool CompileOptions::chooses() const {
  return accumulator.getNumOccurrences() || !constrain.empty();
}

mlir::LogicalResult CompileOptions::choose(mlir::ModuleOp module,
                                           const CpuTarget &target) const {
  return chooseAccumulators(module, getChoice(), target);
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
  estimateCosts(module, *facts);
  facts->target = target.getCpu().str();
  return writeReport(module, *facts);
}

mlir::LogicalResult CompileOptions::lower(mlir::ModuleOp module,
                                          const CpuTarget &target,
                                          StringRef prefix,
                                          unsigned threads) const {
  LoweringChoice choice;
  choice.targetCpu = targetCpu;
  choice.isa = isa;
  choice.checkAccumulators = checkAccumulators;
  choice.prefix = prefix.str();
  choice.planes = planes;
  choice.lookUps = lookUps;
  if (StringRef(accumulator).getAsInteger(10, choice.lanes))
    choice.lanes = 0;
  choice.threads = threads;
  return lowerNetwork(module, choice, target);
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

llvm::Expected<ImportOptions> ShapeOption::parse() const {
  ImportOptions options;
  for (llvm::StringRef text : texts) {
    llvm::Expected<InputShape> shape = InputShape::parse(text);
    if (!shape)
      return shape.takeError();
    options.shapes.push_back(std::move(*shape));
  }
  return options;
}
