//===- ExportReal.cpp - Arithmetic of reals as ONNX -----------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Structured ops on float32 become a node for each scalar op of their body:
// indexing maps become dimensions of size 1, which ONNX broadcasts, and a
// reduction becomes one node behind them.
//
//===----------------------------------------------------------------------===//

#include "Exporter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

static bool isReal(Value value) {
  return getElementTypeOrSelf(value.getType()).isF32();
}

static ArrayRef<int64_t> shapeOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getShape();
}

//===----------------------------------------------------------------------===//
// Bodies
//===----------------------------------------------------------------------===//

namespace {
/// What a scalar of a body is in the graph.
struct Broadcast {
  std::string name;
  /// Over the loops; 1 where it is the same for all.
  SmallVector<int64_t> shape;
};
} // namespace

/// The operator of a scalar op, empty where there is none.
static StringRef operatorOf(Operation &op) {
  return llvm::TypeSwitch<Operation *, StringRef>(&op)
      .Case([](arith::AddFOp) { return "Add"; })
      .Case([](arith::SubFOp) { return "Sub"; })
      .Case([](arith::MulFOp) { return "Mul"; })
      .Case([](arith::DivFOp) { return "Div"; })
      .Case([](arith::NegFOp) { return "Neg"; })
      .Case<arith::MaximumFOp, arith::MaxNumFOp>([](auto) { return "Max"; })
      .Case<arith::MinimumFOp, arith::MinNumFOp>([](auto) { return "Min"; })
      .Case([](math::AbsFOp) { return "Abs"; })
      .Case([](math::CeilOp) { return "Ceil"; })
      .Case([](math::CosOp) { return "Cos"; })
      .Case([](math::ErfOp) { return "Erf"; })
      .Case([](math::ExpOp) { return "Exp"; })
      .Case([](math::FloorOp) { return "Floor"; })
      .Case([](math::LogOp) { return "Log"; })
      .Case([](math::PowFOp) { return "Pow"; })
      .Case([](math::RoundEvenOp) { return "Round"; })
      .Case([](math::SinOp) { return "Sin"; })
      .Case([](math::SqrtOp) { return "Sqrt"; })
      .Case([](math::TanhOp) { return "Tanh"; })
      .Case([](arith::SelectOp) { return "Where"; })
      .Case([](arith::CmpFOp compare) {
        // Comparisons of ONNX are false for what is no number.
        switch (compare.getPredicate()) {
        case arith::CmpFPredicate::OEQ:
          return "Equal";
        case arith::CmpFPredicate::OGE:
          return "GreaterOrEqual";
        case arith::CmpFPredicate::OGT:
          return "Greater";
        case arith::CmpFPredicate::OLE:
          return "LessOrEqual";
        case arith::CmpFPredicate::OLT:
          return "Less";
        default:
          return "";
        }
      })
      .Default(StringRef());
}

/// The node that reduces by this op, from this value on; empty where there is
/// none.
static StringRef reductionOf(Operation *op, const APFloat &start) {
  if (isa<arith::AddFOp>(op) && start.isZero())
    return "ReduceSum";
  if (isa<arith::MulFOp>(op) && start.isExactlyValue(1.0))
    return "ReduceProd";
  bool isLeast = start.isInfinity() || start.isLargest();
  if (isa<arith::MaximumFOp, arith::MaxNumFOp>(op) && isLeast &&
      start.isNegative())
    return "ReduceMax";
  if (isa<arith::MinimumFOp, arith::MinNumFOp>(op) && isLeast &&
      !start.isNegative())
    return "ReduceMin";
  return "";
}

/// The dimensions of a value over the loops that its map reads, 1 elsewhere;
/// failure where they come in another order.
static FailureOr<SmallVector<int64_t>>
spread(AffineMap map, ArrayRef<int64_t> shape, unsigned loops) {
  SmallVector<int64_t> result(loops, 1);
  int64_t last = -1;
  for (auto [expression, size] : llvm::zip_equal(map.getResults(), shape)) {
    auto dim = dyn_cast<AffineDimExpr>(expression);
    if (!dim) {
      if (size != 1 || !isa<AffineConstantExpr>(expression))
        return failure();
      continue;
    }
    if (dim.getPosition() <= last)
      return failure();
    last = dim.getPosition();
    result[last] = size;
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Structured ops
//===----------------------------------------------------------------------===//

/// Whether the op only serves to compute what is known.
static bool makes(Operation &op, const KnownScalar &known) {
  Operation *last = known.value ? known.value.getDefiningOp() : nullptr;
  return last && (&op == last || op.isBeforeInBlock(last));
}

namespace {
/// What a structured op reads.
struct LoopInput {
  Value value, argument;
  SmallVector<int64_t> sizes; ///< over the loops
  bool isWhole;               ///< by an identity map
};
} // namespace

/// The inputs that something else than `known` is computed from; failure with
/// the reason for what cannot be broadcast.
static FailureOr<SmallVector<LoopInput>>
inputsOf(linalg::GenericOp op, const KnownScalar &known, StringRef &problem) {
  SmallVector<LoopInput> inputs;
  for (OpOperand *input : op.getDpsInputOperands()) {
    BlockArgument argument = op.getMatchingBlockArgument(input);
    if (llvm::all_of(argument.getUsers(),
                     [&](Operation *user) { return makes(*user, known); }))
      continue;
    problem = "it reads other values than reals";
    if (!isReal(input->get()))
      return failure();
    AffineMap map = op.getMatchingIndexingMap(input);
    FailureOr<SmallVector<int64_t>> sizes =
        spread(map, shapeOf(input->get()), op.getNumLoops());
    problem = "it transposes or gathers what it reads";
    if (failed(sizes))
      return failure();
    inputs.push_back({input->get(), argument, *sizes, map.isIdentity()});
  }
  return inputs;
}

/// Whether values whose loops have these sizes keep their order where channels
/// come first.
static bool isSpreadAlongOne(ArrayRef<int64_t> shape) {
  return llvm::count_if(shape, [](int64_t size) { return size != 1; }) <= 1;
}

LogicalResult Exporter::exportRealGeneric(linalg::GenericOp op,
                                          KnownScalar known) {
  auto refuse = [&](Operation *inner, StringRef why) {
    InFlightDiagnostic error = op.emitError()
                               << "operation 'linalg.generic' cannot be "
                                  "exported to ONNX";
    error.attachNote(inner->getLoc()) << why;
    return error;
  };
  if (op.getNumDpsInits() != 1)
    return refuse(op, "it gives several values");
  unsigned loops = op.getNumLoops();
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();

  StringRef problem;
  FailureOr<SmallVector<LoopInput>> inputs = inputsOf(op, known, problem);
  if (failed(inputs))
    return refuse(op, problem);

  // Images whose elements keep their places may stay as they are.
  SmallVector<Value> images;
  bool isImage =
      loops == 4 && op.getNumParallelLoops() == 4 &&
      op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isIdentity();
  for (const LoopInput &input : *inputs) {
    if (input.isWhole)
      images.push_back(input.value);
    isImage &= input.isWhole || isSpreadAlongOne(input.sizes);
  }
  Form form = Form::Plain;
  if (isImage && (known.value ? known.isChannelsFirst
                              : formOf(images) == Form::ChannelsFirst))
    form = Form::ChannelsFirst;
  auto inForm = [&](ArrayRef<int64_t> sizes) -> SmallVector<int64_t> {
    if (form == Form::Plain)
      return SmallVector<int64_t>(sizes);
    return {sizes[0], sizes[3], sizes[1], sizes[2]};
  };
  ranges = inForm(ranges);

  llvm::DenseMap<Value, Broadcast> scalars;
  if (known.value && known.isChannelsFirst && form == Form::Plain)
    known.name = addTranspose(known.name, {0, 2, 3, 1});
  if (known.value)
    scalars[known.value] = {known.name, ranges};
  for (const LoopInput &input : *inputs) {
    FailureOr<std::string> name =
        nameOf(input.value, input.isWhole ? form : Form::Plain);
    if (failed(name))
      return failure();
    SmallVector<int64_t> sizes = inForm(input.sizes);
    if (!input.isWhole && ArrayRef<int64_t>(sizes) != shapeOf(input.value))
      *name = addReshape(*name, sizes);
    scalars[input.argument] = {*name, sizes};
  }

  // The body, a node each. The last op may put its result together with what
  // was there.
  Operation *yield = op.getBody()->getTerminator();
  Value result = yield->getOperand(0);
  Value before = op.getRegionOutputArgs().front();
  Operation *combiner =
      loops != op.getNumParallelLoops() ? result.getDefiningOp() : nullptr;
  auto scalarOf = [&](Value value) -> std::optional<Broadcast> {
    if (auto known = scalars.find(value); known != scalars.end())
      return known->second;
    APFloat number(0.0f);
    if (!matchPattern(value, m_ConstantFloat(&number)) || !isReal(value))
      return std::nullopt;
    return Broadcast{addReal(number.convertToFloat()),
                     SmallVector<int64_t>(loops, 1)};
  };
  for (Operation &inner : op.getBody()->without_terminator()) {
    if (&inner == combiner || makes(inner, known) ||
        inner.hasTrait<OpTrait::ConstantLike>())
      continue;
    StringRef name = operatorOf(inner);
    if (name.empty())
      return refuse(&inner, "there is no operator for this");
    SmallVector<std::string> operands;
    Broadcast scalar{"", SmallVector<int64_t>(loops, 1)};
    for (Value operand : inner.getOperands()) {
      std::optional<Broadcast> read = scalarOf(operand);
      if (!read)
        return refuse(&inner, "this reads what is no real input");
      operands.push_back(read->name);
      for (auto [size, other] : llvm::zip_equal(scalar.shape, read->shape))
        size = std::max(size, other);
    }
    APFloat limit(1.0f);
    bool isRelu = isa<arith::MaximumFOp>(inner) &&
                  matchPattern(inner.getOperand(1), m_ConstantFloat(&limit)) &&
                  limit.isPosZero();
    scalar.name = isRelu ? add("Relu", operands.front()) : add(name, operands);
    scalars[inner.getResult(0)] = scalar;
  }

  std::optional<Broadcast> given;
  StringRef reduction;
  if (combiner) {
    // `before` is what the reduction begins with.
    bool isCombined = combiner->getNumOperands() == 2 &&
                      llvm::is_contained(combiner->getOperands(), before) &&
                      before.hasOneUse() &&
                      combiner->getBlock() == op.getBody();
    if (!isCombined)
      return refuse(op, "its reduction is none that ONNX has");
    given = scalarOf(combiner->getOperand(combiner->getOperand(0) == before));
    auto fill = op.getOutputs().front().getDefiningOp<linalg::FillOp>();
    APFloat start(0.0f);
    if (fill && matchPattern(fill.getInputs().front(), m_ConstantFloat(&start)))
      reduction = reductionOf(combiner, start);
  } else {
    given = scalarOf(result);
  }
  if (!given ||
      (combiner && (reduction.empty() ||
                    ArrayRef<int64_t>(given->shape) != ArrayRef(ranges))))
    return refuse(op, combiner ? "its reduction is none that ONNX has"
                               : "it reads what it writes to");

  // Loops of the result, in their order.
  Value output = op.getResult(0);
  FailureOr<SmallVector<int64_t>> kept =
      spread(op.getMatchingIndexingMap(op.getDpsInitOperand(0)),
             shapeOf(output), loops);
  if (failed(kept))
    return refuse(op, "it transposes what it writes");
  std::string name = given->name;
  if (combiner) {
    SmallVector<unsigned> reduced;
    op.getReductionDims(reduced);
    name = addReduction(reduction, name,
                        SmallVector<int64_t>(reduced.begin(), reduced.end()));
  } else if (ArrayRef<int64_t>(given->shape) != ArrayRef(ranges)) {
    name = add("Expand", {name, addSizes("shape", ranges)});
  }
  // The reduced loops are still there, as 1.
  if (combiner || shapeOf(output) != ArrayRef<int64_t>(*kept))
    name = addReshape(name, shapeOf(output));
  define(output, ElementType::Float, form, name);
  return success();
}

std::string Exporter::addSizes(StringRef hint, ArrayRef<int64_t> sizes) {
  Tensor list;
  list.type = ElementType::Int64;
  list.shape = {static_cast<int64_t>(sizes.size())};
  list.ints.assign(sizes.begin(), sizes.end());
  std::string name = addConstant(hint, list);
  this->sizes[name].assign(sizes.begin(), sizes.end());
  return name;
}

std::string Exporter::addReshape(const std::string &value,
                                 ArrayRef<int64_t> sizes) {
  return add("Reshape", {value, addSizes("shape", sizes)});
}

std::string Exporter::addReduction(StringRef name, const std::string &value,
                                   ArrayRef<int64_t> axes) {
  // Before version 18 of ONNX the axes of sums alone are an input.
  if (name == "ReduceSum" || opset >= 18)
    return add(name, {value, addSizes("axes", axes)});
  onnx::NodeProto &node = addNode(name, value);
  addAttribute(node, "axes", axes);
  return node.output(0);
}

//===----------------------------------------------------------------------===//
// TOSA
//===----------------------------------------------------------------------===//

LogicalResult Exporter::exportReduction(Operation *op, StringRef name,
                                        Value input, int64_t axis) {
  if (!isReal(input))
    return op->emitError() << "operation '" << op->getName()
                           << "' on integers cannot be exported to ONNX";
  FailureOr<std::string> value = nameOf(input, Form::Plain);
  if (failed(value))
    return failure();
  define(op->getResult(0), ElementType::Float, Form::Plain,
         addReduction(name, *value, {axis}));
  return success();
}

LogicalResult Exporter::exportSlice(tosa::SliceOp op) {
  DenseIntElementsAttr place;
  if (!matchPattern(op.getStart(), m_Constant(&place)))
    return op.emitError() << "a slice whose place is not constant cannot be "
                             "exported";
  FailureOr<std::string> value = nameOf(op.getInput1(), Form::Plain);
  FailureOr<ElementType> type = typeOf(op.getInput1());
  if (failed(value) || failed(type))
    return failure();
  SmallVector<int64_t> starts(place.value_begin<int64_t>(),
                              place.value_end<int64_t>());
  SmallVector<int64_t> ends(starts);
  for (auto [end, size] : llvm::zip_equal(ends, shapeOf(op)))
    end += size;
  define(op, *type, Form::Plain,
         add("Slice",
             {*value, addSizes("starts", starts), addSizes("ends", ends)}));
  return success();
}

LogicalResult Exporter::exportRsqrt(tosa::RsqrtOp op) {
  Form form = formOf(op.getInput1());
  FailureOr<std::string> value = nameOf(op.getInput1(), form);
  if (failed(value))
    return failure();
  define(op, ElementType::Float, form, add("Reciprocal", add("Sqrt", *value)));
  return success();
}
