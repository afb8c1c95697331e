//===- A2QTypes.cpp - Types of the a2q dialect ----------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/IR/A2QDialect.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace a2q;

#define GET_TYPEDEF_CLASSES
#include "a2q/IR/A2QTypes.cpp.inc"

void A2QDialect::registerTypes() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "a2q/IR/A2QTypes.cpp.inc"
      >();
}

llvm::hash_code a2q::hash_value(const AccumulatorStage &stage) {
  return llvm::hash_combine(stage.width, stage.terms);
}

/// stage ::= width (`x` terms)?
static ParseResult parseStage(AsmParser &parser, AccumulatorStage &stage) {
  if (parser.parseInteger(stage.width))
    return failure();
  if (succeeded(parser.parseOptionalKeyword("x")))
    return parser.parseInteger(stage.terms);
  return success();
}

Type AccumulatorType::parse(AsmParser &parser) {
  SmallVector<AccumulatorStage> stages;
  bool wrap = false;
  SMLoc loc = parser.getCurrentLocation();
  auto element = [&]() -> ParseResult {
    if (wrap)
      return parser.emitError(parser.getCurrentLocation(),
                              "expected `wrap` to come last");
    if (!stages.empty() && succeeded(parser.parseOptionalKeyword("wrap"))) {
      wrap = true;
      return success();
    }
    return parseStage(parser, stages.emplace_back());
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::LessGreater,
                                     element))
    return {};
  return AccumulatorType::getChecked([&] { return parser.emitError(loc); },
                                     parser.getContext(), stages, wrap);
}

void AccumulatorType::print(AsmPrinter &printer) const {
  printer << '<';
  llvm::interleaveComma(getStages(), printer, [&](AccumulatorStage stage) {
    printer << stage.width;
    if (stage.terms)
      printer << " x " << stage.terms;
  });
  if (getWrap())
    printer << ", wrap";
  printer << '>';
}

LogicalResult
AccumulatorType::verify(function_ref<InFlightDiagnostic()> emitError,
                        ArrayRef<AccumulatorStage> stages, bool wrap) {
  // C1
  if (stages.empty())
    return emitError() << "an accumulator type needs at least one stage";
  for (auto [i, stage] : llvm::enumerate(stages)) {
    // C2
    if (stage.width < 1 || stage.width > 64)
      return emitError() << "stage " << i << " has width " << stage.width
                         << ", widths are from 1 to 64";
    // C3
    bool outermost = i + 1 == stages.size();
    if (outermost && stage.terms)
      return emitError() << "the outermost stage covers all products and takes "
                            "no term count, found "
                         << stage.terms;
    if (!outermost && stage.terms <= (i ? stages[i - 1].terms : 0))
      return emitError() << "stage " << i << " has tiles of " << stage.terms
                         << " products, they must grow outwards from 1";
    // C4
    if (i && stage.width < stages[i - 1].width)
      return emitError() << "stage " << i << " has width " << stage.width
                         << ", narrower than the " << stages[i - 1].width
                         << " bits of the stage inside it";
  }
  return success();
}
