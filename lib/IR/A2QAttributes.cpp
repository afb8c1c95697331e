//===- A2QAttributes.cpp - Attributes of the a2q dialect ------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/IR/A2QDialect.h"
#include "a2q/IR/QuantTypes.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace a2q;

llvm::StringRef a2q::stringifyRounding(Rounding rounding) {
  switch (rounding) {
  case Rounding::HalfEven:
    return "half_even";
  case Rounding::HalfUp:
    return "half_up";
  case Rounding::HalfAway:
    return "half_away";
  case Rounding::TowardZero:
    return "toward_zero";
  case Rounding::Floor:
    return "floor";
  case Rounding::Double:
    return "double";
  }
  llvm_unreachable("unknown rounding mode");
}

std::optional<Rounding> a2q::symbolizeRounding(llvm::StringRef keyword) {
  for (Rounding rounding :
       {Rounding::HalfEven, Rounding::HalfUp, Rounding::HalfAway,
        Rounding::TowardZero, Rounding::Floor, Rounding::Double})
    if (stringifyRounding(rounding) == keyword)
      return rounding;
  return std::nullopt;
}

#define GET_ATTRDEF_CLASSES
#include "a2q/IR/A2QAttributes.cpp.inc"

void A2QDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "a2q/IR/A2QAttributes.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Schedule: text
//===----------------------------------------------------------------------===//

/// `[[144, 288], [288]]`
static ParseResult parseEnds(AsmParser &parser,
                             SmallVectorImpl<DenseI64ArrayAttr> &ends) {
  return parser.parseCommaSeparatedList(
      AsmParser::Delimiter::Square, [&]() -> ParseResult {
        SmallVector<int64_t> tiles;
        if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&] {
              return parser.parseInteger(tiles.emplace_back());
            }))
          return failure();
        ends.push_back(DenseI64ArrayAttr::get(parser.getContext(), tiles));
        return success();
      });
}

Attribute ScheduleAttr::parse(AsmParser &parser, Type) {
  SmallVector<DenseI64ArrayAttr> ends;
  ArrayAttr starts;
  DenseI64ArrayAttr order;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() || parser.parseKeyword("ends") ||
      parser.parseEqual() || parseEnds(parser, ends))
    return {};
  while (succeeded(parser.parseOptionalComma())) {
    StringRef keyword;
    SMLoc keywordLoc = parser.getCurrentLocation();
    if (parser.parseKeyword(&keyword) || parser.parseEqual())
      return {};
    if (keyword == "starts" && !starts) {
      if (parser.parseAttribute(starts))
        return {};
    } else if (keyword == "order" && !order) {
      if (parser.parseAttribute(order))
        return {};
    } else {
      parser.emitError(keywordLoc,
                       "expected `starts` or `order`, each at most once");
      return {};
    }
  }
  if (parser.parseGreater())
    return {};
  return getChecked([&] { return parser.emitError(loc); }, parser.getContext(),
                    ends, starts, order);
}

void ScheduleAttr::print(AsmPrinter &printer) const {
  printer << "<ends = [";
  llvm::interleaveComma(getEnds(), printer, [&](DenseI64ArrayAttr tiles) {
    printer << '[';
    llvm::interleaveComma(tiles.asArrayRef(), printer);
    printer << ']';
  });
  printer << ']';
  if (getStarts())
    printer << ", starts = " << getStarts();
  if (getOrder())
    printer << ", order = " << getOrder();
  printer << '>';
}

//===----------------------------------------------------------------------===//
// Schedule: rules
//===----------------------------------------------------------------------===//

using EmitError = function_ref<InFlightDiagnostic()>;

/// C1 to C3.
static LogicalResult verifyEnds(EmitError emitError,
                                ArrayRef<DenseI64ArrayAttr> ends) {
  if (ends.empty() ||
      llvm::any_of(ends, [](DenseI64ArrayAttr tiles) { return tiles.empty(); }))
    return emitError() << "a schedule needs a stage, and each stage a tile";
  if (ends.back().size() != 1)
    return emitError() << "the outermost stage has " << ends.back().size()
                       << " tiles, it has exactly one";
  int64_t length = ends.back()[0];
  for (auto [stage, tiles] : llvm::enumerate(ends)) {
    int64_t begin = 0;
    for (int64_t end : tiles.asArrayRef()) {
      if (end <= begin)
        return emitError() << "tile ends of stage " << stage
                           << " must increase, found " << end << " after "
                           << begin;
      begin = end;
    }
    if (begin != length)
      return emitError() << "stage " << stage << " ends at product " << begin
                         << ", the outermost stage at " << length;
    if (stage == 0)
      continue;
    for (int64_t end : tiles.asArrayRef())
      if (!llvm::binary_search(ends[stage - 1].asArrayRef(), end))
        return emitError() << "stage " << stage << " has a tile that ends at "
                           << "product " << end
                           << ", within a tile of the stage inside it";
  }
  return success();
}

/// C4.
static LogicalResult verifyStarts(EmitError emitError,
                                  ArrayRef<DenseI64ArrayAttr> ends,
                                  ArrayAttr starts) {
  if (starts.size() != ends.size())
    return emitError() << "found starts of " << starts.size() << " stages, "
                       << "expected " << ends.size();
  std::optional<int64_t> channels;
  for (auto [stage, attr] : llvm::enumerate(starts)) {
    if (auto zero = dyn_cast<IntegerAttr>(attr);
        zero && zero.getValue().isZero())
      continue;
    auto elements = dyn_cast<ElementsAttr>(attr);
    auto type = elements ? dyn_cast<RankedTensorType>(elements.getType())
                         : RankedTensorType();
    // A resource comes after the attribute in a text file: the op that has the
    // schedule checks that it is there.
    bool readable = isa_and_nonnull<DenseResourceElementsAttr>(elements) ||
                    (elements && hasIntegerElements(elements));
    if (!type || !readable || !type.getElementType().isSignlessInteger() ||
        type.getElementTypeBitWidth() > 64)
      return emitError() << "starts of stage " << stage
                         << " must be 0 or integer elements of shape "
                            "[channels, tiles, lanes]";
    int64_t tiles = ends[stage].size();
    int64_t lanes = type.getRank() == 3 ? type.getDimSize(2) : 0;
    bool lanesFit = lanes == 1 || (stage == 0 && (lanes == 2 || lanes == 4));
    if (type.getRank() != 3 || type.getDimSize(1) != tiles || !lanesFit ||
        (channels && *channels != type.getDimSize(0)))
      return emitError() << "starts of stage " << stage << " have type " << type
                         << ", expected [channels, " << tiles
                         << " tiles, lanes]";
    channels = type.getDimSize(0);
  }
  return success();
}

/// C5.
static LogicalResult verifyOrder(EmitError emitError, int64_t length,
                                 ArrayRef<int64_t> order) {
  if (static_cast<int64_t>(order.size()) != length)
    return emitError() << "the order has " << order.size()
                       << " terms, expected " << length;
  llvm::BitVector seen(length);
  for (int64_t term : order) {
    if (term < 0 || term >= length || seen[term])
      return emitError() << "the order must be a permutation of 0 to "
                         << length - 1 << ", term " << term
                         << " is out of range or repeated";
    seen.set(term);
  }
  return success();
}

LogicalResult ScheduleAttr::verify(EmitError emitError,
                                   ArrayRef<DenseI64ArrayAttr> ends,
                                   ArrayAttr starts, DenseI64ArrayAttr order) {
  if (failed(verifyEnds(emitError, ends)))
    return failure();
  if (starts && failed(verifyStarts(emitError, ends, starts)))
    return failure();
  if (order &&
      failed(verifyOrder(emitError, ends.back()[0], order.asArrayRef())))
    return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// Schedule: to and from the mathematics
//===----------------------------------------------------------------------===//

int64_t ScheduleAttr::getReductionLength() const { return getEnds().back()[0]; }

ElementsAttr ScheduleAttr::getStageStarts(int64_t stage) const {
  if (!getStarts())
    return {};
  return dyn_cast<ElementsAttr>(getStarts()[stage]);
}

Schedule ScheduleAttr::toSchedule() const {
  Schedule schedule;
  if (getOrder())
    schedule.order.assign(getOrder().asArrayRef().begin(),
                          getOrder().asArrayRef().end());
  for (int64_t stage = 0; stage < getNumStages(); ++stage) {
    StageSchedule &facts = schedule.stages.emplace_back();
    ArrayRef<int64_t> ends = getEnds()[stage].asArrayRef();
    facts.ends.assign(ends.begin(), ends.end());
    if (ElementsAttr starts = getStageStarts(stage)) {
      facts.lanes = starts.getShapedType().getDimSize(2);
      FailureOr<SmallVector<int64_t>> values = integerElements(starts);
      if (failed(values))
        llvm::report_fatal_error("the starts of a schedule are absent");
      facts.starts.assign(values->begin(), values->end());
    }
  }
  return schedule;
}

/// More constants than this are written as a resource, not inline.
static constexpr int64_t kLargeConstant = 64;

static Attribute startsAttr(MLIRContext *context, const StageSchedule &stage,
                            int64_t channels, int64_t index) {
  Builder builder(context);
  if (stage.starts.empty() ||
      llvm::all_of(stage.starts, [](int64_t start) { return start == 0; }))
    return builder.getI64IntegerAttr(0);
  auto type = RankedTensorType::get({channels, stage.tiles(), stage.lanes},
                                    builder.getI64Type());
  if (type.getNumElements() <= kLargeConstant)
    return DenseElementsAttr::get(type, ArrayRef<int64_t>(stage.starts));
  return DenseI64ResourceElementsAttr::get(
      type, "starts" + std::to_string(index),
      HeapAsmResourceBlob::allocateAndCopyInferAlign(
          ArrayRef<int64_t>(stage.starts)));
}

ScheduleAttr ScheduleAttr::get(MLIRContext *context, const Schedule &schedule,
                               int64_t channels) {
  SmallVector<DenseI64ArrayAttr> ends;
  SmallVector<Attribute> starts;
  for (auto [index, stage] : llvm::enumerate(schedule.stages)) {
    ends.push_back(DenseI64ArrayAttr::get(context, stage.ends));
    starts.push_back(startsAttr(context, stage, channels, index));
  }
  bool allZero = llvm::all_of(
      starts, [](Attribute attr) { return isa<IntegerAttr>(attr); });
  return get(
      context, ends, allZero ? ArrayAttr() : ArrayAttr::get(context, starts),
      schedule.order.empty() ? DenseI64ArrayAttr()
                             : DenseI64ArrayAttr::get(context, schedule.order));
}
