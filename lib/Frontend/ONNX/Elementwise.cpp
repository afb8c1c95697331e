//===- Elementwise.cpp - Functions of single elements -*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One linalg.generic for each node; the lowering fuses what follows each other.
// Integers are computed in the bits of their type. Truth values are bytes.
//
//===----------------------------------------------------------------------===//

#include "Fold.h"
#include "Importer.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

using Emitter = ImplicitLocOpBuilder;

//===----------------------------------------------------------------------===//
// Scalars
//===----------------------------------------------------------------------===//

static Value real(Emitter &b, double value) {
  return arith::ConstantOp::create(
      b, b.getF32FloatAttr(static_cast<float>(value)));
}

static Value integer(Emitter &b, Type type, int64_t value) {
  return arith::ConstantOp::create(b, b.getIntegerAttr(type, value));
}

static Value truth(Emitter &b, Value byte) {
  return arith::CmpIOp::create(b, arith::CmpIPredicate::ne, byte,
                               integer(b, byte.getType(), 0));
}

static Value byteOf(Emitter &b, Value truth) {
  return arith::ExtUIOp::create(b, b.getI8Type(), truth);
}

static Value realFunction(Emitter &b, const Node &node, Value x);

static Value multiplied(Emitter &b, Value x, Value y) {
  return arith::MulFOp::create(b, x, y);
}
static Value added(Emitter &b, Value x, Value y) {
  return arith::AddFOp::create(b, x, y);
}

/// x * (1 + erf(x / sqrt(2))) / 2, or with the approximation by tanh.
static Value gelu(Emitter &b, const Node &node, Value x) {
  Value inner;
  if (node.string("approximate", "none") == "tanh") {
    Value cube = multiplied(b, multiplied(b, x, x), x);
    Value sum = added(b, x, multiplied(b, real(b, 0.044715), cube));
    inner = math::TanhOp::create(
        b, multiplied(b, real(b, std::sqrt(2 / M_PI)), sum));
  } else {
    inner = math::ErfOp::create(b, multiplied(b, x, real(b, std::sqrt(0.5))));
  }
  return multiplied(b, multiplied(b, real(b, 0.5), x),
                    added(b, real(b, 1), inner));
}

/// What is computed of negative and of positive numbers.
static Value bySign(Emitter &b, Value x, Value negative, Value positive) {
  Value isNegative =
      arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, x, real(b, 0));
  return arith::SelectOp::create(b, isNegative, negative, positive);
}

/// log(1 + exp(x)), without overflow: max(x, 0) + log1p(exp(-|x|)).
static Value softplus(Emitter &b, Value x) {
  Value power = math::ExpOp::create(
      b, arith::NegFOp::create(b, math::AbsFOp::create(b, x)));
  return added(b, arith::MaximumFOp::create(b, x, real(b, 0)),
               math::Log1pOp::create(b, power));
}

/// Of numbers below the normal ones as well, which lowerings of the operation
/// take for the least normal one: log(x * 2^23) - log(2^23).
static Value logarithm(Emitter &b, Value x) {
  Value isTiny =
      arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, x, real(b, 0x1p-126));
  Value scaled = multiplied(b, x, real(b, 0x1p23));
  Value log =
      math::LogOp::create(b, arith::SelectOp::create(b, isTiny, scaled, x));
  return arith::SelectOp::create(b, isTiny, added(b, log, real(b, -23 * M_LN2)),
                                 log);
}

static Value realFunction(Emitter &b, const Node &node, Value x) {
  StringRef op = node.op->name;
  if (op == "Abs")
    return math::AbsFOp::create(b, x);
  if (op == "Neg")
    return arith::NegFOp::create(b, x);
  if (op == "Exp")
    return math::ExpOp::create(b, x);
  if (op == "Log")
    return logarithm(b, x);
  if (op == "Sqrt")
    return math::SqrtOp::create(b, x);
  if (op == "Reciprocal")
    return arith::DivFOp::create(b, real(b, 1), x);
  if (op == "Floor")
    return math::FloorOp::create(b, x);
  if (op == "Ceil")
    return math::CeilOp::create(b, x);
  if (op == "Round")
    return math::RoundEvenOp::create(b, x);
  if (op == "Sin")
    return math::SinOp::create(b, x);
  if (op == "Cos")
    return math::CosOp::create(b, x);
  if (op == "Erf")
    return math::ErfOp::create(b, x);
  if (op == "Gelu")
    return gelu(b, node, x);
  if (op == "Softplus")
    return softplus(b, x);
  if (op == "Softsign")
    return arith::DivFOp::create(
        b, x, added(b, real(b, 1), math::AbsFOp::create(b, x)));
  if (op == "Mish")
    return multiplied(b, x, math::TanhOp::create(b, softplus(b, x)));
  if (op == "Sign")
    return bySign(b, x, real(b, -1),
                  bySign(b, arith::NegFOp::create(b, x), real(b, 1), x));
  if (op == "Swish") {
    Value scaled = multiplied(b, x, real(b, -node.real("alpha", 1)));
    Value divisor = added(b, real(b, 1), math::ExpOp::create(b, scaled));
    return arith::DivFOp::create(b, x, divisor);
  }
  if (op == "ThresholdedRelu")
    return arith::SelectOp::create(
        b,
        arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x,
                              real(b, node.real("alpha", 1))),
        x, real(b, 0));
  if (op == "Celu") {
    Value alpha = real(b, node.real("alpha", 1));
    Value power = math::ExpOp::create(b, arith::DivFOp::create(b, x, alpha));
    power = arith::SubFOp::create(b, power, real(b, 1));
    return bySign(b, x, multiplied(b, alpha, power), x);
  }
  // Elu, and Selu with its own factors.
  bool isSelu = op == "Selu";
  float alpha = node.real("alpha", isSelu ? 1.67326319217681884765625f : 1.0f);
  Value power = arith::SubFOp::create(b, math::ExpOp::create(b, x), real(b, 1));
  Value result = bySign(b, x, multiplied(b, real(b, alpha), power), x);
  if (!isSelu)
    return result;
  float gamma = node.real("gamma", 1.05070102214813232421875f);
  return multiplied(b, real(b, gamma), result);
}

static Value integerFunction(Emitter &b, StringRef op, bool isSigned, Value x) {
  Value zero = integer(b, x.getType(), 0);
  if (op == "Sign") {
    Value one = integer(b, x.getType(), 1);
    if (!isSigned)
      return arith::MinUIOp::create(b, x, one);
    return arith::MaxSIOp::create(b, arith::MinSIOp::create(b, x, one),
                                  integer(b, x.getType(), -1));
  }
  if (op == "Abs" && !isSigned)
    return x;
  if (op == "Not")
    return byteOf(b,
                  arith::CmpIOp::create(b, arith::CmpIPredicate::eq, x, zero));
  Value negative = arith::SubIOp::create(b, zero, x);
  if (op == "Neg")
    return negative;
  return arith::MaxSIOp::create(b, x, negative); // Abs
}

/// A whole power is a product, as runtimes compute it.
static Value power(Emitter &b, Value x, Value exponent) {
  FloatAttr constant;
  if (auto op = exponent.getDefiningOp<arith::ConstantOp>())
    constant = dyn_cast<FloatAttr>(op.getValue());
  if (constant && constant.getValueAsDouble() == 2)
    return multiplied(b, x, x);
  if (constant && constant.getValueAsDouble() == 3)
    return multiplied(b, multiplied(b, x, x), x);
  return math::PowFOp::create(b, x, exponent);
}

static Value realArithmetic(Emitter &b, StringRef op, Value x, Value y) {
  if (op == "Add")
    return added(b, x, y);
  if (op == "Sub")
    return arith::SubFOp::create(b, x, y);
  if (op == "Mul")
    return multiplied(b, x, y);
  if (op == "Div")
    return arith::DivFOp::create(b, x, y);
  if (op == "Min")
    return arith::MinimumFOp::create(b, x, y);
  if (op == "Max")
    return arith::MaximumFOp::create(b, x, y);
  if (op == "Mod")
    return arith::RemFOp::create(b, x, y);
  return power(b, x, y);
}

/// The remainder that has the divisor's sign.
static Value floorRemainder(Emitter &b, Value x, Value y) {
  Value zero = integer(b, x.getType(), 0);
  Value rest = arith::RemSIOp::create(b, x, y);
  Value other = arith::CmpIOp::create(b, arith::CmpIPredicate::slt,
                                      arith::XOrIOp::create(b, rest, y), zero);
  Value some = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, rest, zero);
  return arith::SelectOp::create(b, arith::AndIOp::create(b, other, some),
                                 arith::AddIOp::create(b, rest, y), rest);
}

/// A quotient or remainder that no processor stops at: of 0 and of -1, whose
/// quotient may not fit, the remainder is 0, and the quotient by 0 is the
/// dividend.
static Value divided(Emitter &b, const Node &node, bool isSigned, Value x,
                     Value y) {
  auto is = [&](int64_t number) {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, y,
                                 integer(b, y.getType(), number));
  };
  Value isOdd = is(0), isMinusOne;
  if (isSigned) {
    isMinusOne = is(-1);
    isOdd = arith::OrIOp::create(b, isOdd, isMinusOne);
  }
  Value one = integer(b, y.getType(), 1);
  Value divisor = arith::SelectOp::create(b, isOdd, one, y);
  bool isQuotient = node.op->name == "Div";
  if (!isSigned)
    return isQuotient ? Value(arith::DivUIOp::create(b, x, divisor))
                      : Value(arith::RemUIOp::create(b, x, divisor));
  if (!isQuotient)
    return node.integer("fmod", 0) != 0
               ? Value(arith::RemSIOp::create(b, x, divisor))
               : floorRemainder(b, x, divisor);
  Value opposite = arith::SubIOp::create(b, integer(b, x.getType(), 0), x);
  return arith::SelectOp::create(b, isMinusOne, opposite,
                                 arith::DivSIOp::create(b, x, divisor));
}

static Value integerArithmetic(Emitter &b, const Node &node, bool isSigned,
                               Value x, Value y) {
  StringRef op = node.op->name;
  if (op == "Add")
    return arith::AddIOp::create(b, x, y);
  if (op == "Sub")
    return arith::SubIOp::create(b, x, y);
  if (op == "Mul")
    return arith::MulIOp::create(b, x, y);
  if (op == "Div" || op == "Mod")
    return divided(b, node, isSigned, x, y);
  if (op == "Min")
    return isSigned ? Value(arith::MinSIOp::create(b, x, y))
                    : Value(arith::MinUIOp::create(b, x, y));
  if (op == "Max")
    return isSigned ? Value(arith::MaxSIOp::create(b, x, y))
                    : Value(arith::MaxUIOp::create(b, x, y));
  if (op == "And")
    return arith::AndIOp::create(b, x, y);
  if (op == "Or")
    return arith::OrIOp::create(b, x, y);
  return arith::XOrIOp::create(b, x, y);
}

/// An integer as a real number; a constant stays one.
static Value asReal(Emitter &b, ElementType type, Value x) {
  if (auto constant = x.getDefiningOp<arith::ConstantOp>())
    if (auto value = dyn_cast<IntegerAttr>(constant.getValue()))
      return real(b,
                  integerFormat(type)->isSigned
                      ? static_cast<double>(value.getValue().getSExtValue())
                      : static_cast<double>(value.getValue().getZExtValue()));
  return integerFormat(type)->isSigned
             ? Value(arith::SIToFPOp::create(b, b.getF32Type(), x))
             : Value(arith::UIToFPOp::create(b, b.getF32Type(), x));
}

static Value compared(Emitter &b, StringRef op, ElementType type, Value x,
                      Value y) {
  enum {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual
  } which = op == "Equal"         ? Equal
            : op == "Less"        ? Less
            : op == "LessOrEqual" ? LessOrEqual
            : op == "Greater"     ? Greater
                                  : GreaterOrEqual;
  using F = arith::CmpFPredicate;
  using I = arith::CmpIPredicate;
  static constexpr F reals[] = {F::OEQ, F::OLT, F::OLE, F::OGT, F::OGE};
  static constexpr I signedOnes[] = {I::eq, I::slt, I::sle, I::sgt, I::sge};
  static constexpr I unsignedOnes[] = {I::eq, I::ult, I::ule, I::ugt, I::uge};
  if (type == ElementType::Float)
    return byteOf(b, arith::CmpFOp::create(b, reals[which], x, y));
  bool isSigned = integerFormat(type)->isSigned;
  return byteOf(b, arith::CmpIOp::create(
                       b, (isSigned ? signedOnes : unsignedOnes)[which], x, y));
}

static Value converted(Emitter &b, ElementType from, ElementType to, Type type,
                       Value x) {
  bool fromReal = from == ElementType::Float, toReal = to == ElementType::Float;
  if (fromReal && toReal)
    return x;
  if (to == ElementType::Bool)
    return byteOf(b, fromReal
                         ? Value(arith::CmpFOp::create(
                               b, arith::CmpFPredicate::UNE, x, real(b, 0)))
                         : truth(b, x));
  bool isSigned = integerFormat(fromReal ? to : from)->isSigned;
  if (fromReal)
    return isSigned ? Value(arith::FPToSIOp::create(b, type, x))
                    : Value(arith::FPToUIOp::create(b, type, x));
  if (toReal)
    return isSigned ? Value(arith::SIToFPOp::create(b, type, x))
                    : Value(arith::UIToFPOp::create(b, type, x));
  unsigned had = x.getType().getIntOrFloatBitWidth();
  unsigned wanted = type.getIntOrFloatBitWidth();
  if (had == wanted)
    return x;
  if (had > wanted)
    return arith::TruncIOp::create(b, type, x);
  return isSigned ? Value(arith::ExtSIOp::create(b, type, x))
                  : Value(arith::ExtUIOp::create(b, type, x));
}

//===----------------------------------------------------------------------===//
// Nodes
//===----------------------------------------------------------------------===//

ElementType Importer::elementTypeOf(const Known &known) {
  if (known.kind == Known::Codes)
    return known.format.type;
  if (known.kind == Known::Constant)
    return known.constant->type;
  return ElementType::Float;
}

Type Importer::storedType(ElementType type) {
  if (type == ElementType::Float)
    return b.getF32Type();
  return b.getIntegerType(CodeFormat{type, {}}.storageBits());
}

/// What has this element type and no value yet.
Known Importer::unset(ElementType type, ArrayRef<int64_t> shape) {
  if (type == ElementType::Float)
    return Known(Known::Real, shape);
  Known result(Known::Codes, shape);
  result.format = {type, integerFormat(type)->range()};
  return result;
}

/// The tensor in that layout; integers as their storage.
Value Importer::emitted(Known &known, Layout layout) {
  if (known.kind != Known::Constant)
    return storage(
        get(known.kind == Known::Codes ? known : *emitReal(known), layout));
  Tensor tensor = *known.constant;
  if (layout == Layout::ChannelsLast)
    tensor = transpose(tensor, channelsToLast(tensor.shape.size()));
  if (tensor.isFloat())
    return constantTensor(tensor.shape, ArrayRef(tensor.floats));
  return constantTensor(tensor.shape, tensor.ints,
                        CodeFormat{tensor.type, {}}.storageBits());
}

LogicalResult Importer::defineGeneric(const Node &node,
                                      ArrayRef<unsigned> inputs,
                                      ElementType type, Body body) {
  SmallVector<Known *> operands;
  SmallVector<int64_t> shape;
  for (unsigned index : inputs) {
    FailureOr<Known *> operand = lookup(node, index);
    if (failed(operand))
      return failure();
    operands.push_back(*operand);
    auto joined = broadcastShapes(shape, (*operand)->shape);
    if (!joined)
      return node.emitError()
             << "shapes " << shapeText(shape) << " and "
             << shapeText((*operand)->shape) << " do not broadcast";
    shape = *joined;
  }
  if (failed(checkSize(node, shape)))
    return failure();
  Layout layout = Layout::Plain;
  auto rank = static_cast<int64_t>(shape.size());
  for (Known *operand : operands) {
    Known *form =
        operand->kind == Known::Accumulated ? emitReal(*operand) : operand;
    if (form->layouts.channelsLast && form->shape.size() == shape.size())
      layout = Layout::ChannelsLast;
  }
  SmallVector<int64_t> physical = physicalShape(shape, layout);
  SmallVector<int64_t> order = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  if (layout == Layout::ChannelsLast)
    order = channelsToLast(rank);
  SmallVector<Value> values, scalars(operands.size());
  SmallVector<AffineMap> maps;
  for (auto [operand, scalar] : llvm::zip(operands, scalars)) {
    if (operand->kind == Known::Constant && operand->constant->size() == 1) {
      const Tensor &tensor = *operand->constant;
      scalar = tensor.isFloat()
                   ? this->scalar(tensor.floats.front())
                   : this->scalar(tensor.ints.front(),
                                  CodeFormat{tensor.type, {}}.storageBits());
      continue;
    }
    // An operand of a lower rank is read in its own layout.
    auto offset = rank - static_cast<int64_t>(operand->shape.size());
    Layout own = offset == 0 ? layout : Layout::Plain;
    values.push_back(emitted(*operand, own));
    SmallVector<AffineExpr> dims;
    for (auto [dim, size] : llvm::enumerate(
             cast<RankedTensorType>(values.back().getType()).getShape())) {
      int64_t logical = own == Layout::Plain ? offset + dim : order[dim];
      int64_t place = llvm::find(order, logical) - order.begin();
      dims.push_back(size == 1 ? b.getAffineConstantExpr(0)
                               : b.getAffineDimExpr(place));
    }
    maps.push_back(AffineMap::get(rank, 0, dims, b.getContext()));
  }
  Known result = unset(type, shape);
  Value value = elementwise(values, maps, physical, storedType(type),
                            [&](Emitter &inner, ValueRange arguments) {
                              SmallVector<Value> all = scalars;
                              for (Value &value : all)
                                if (!value) {
                                  value = arguments.front();
                                  arguments = arguments.drop_front();
                                }
                              return body(inner, all);
                            });
  set(result.layouts, layout, value);
  define(node, std::move(result));
  return success();
}

static LogicalResult wrongType(const Node &node, unsigned index,
                               ElementType type, StringRef expected) {
  return node.emitInputError(index)
         << "holds elements of type " << toString(type) << ", expected "
         << expected;
}

LogicalResult Importer::importFunction(const Node &node) {
  FailureOr<Known *> input = lookup(node, 0);
  if (failed(input))
    return failure();
  ElementType type = elementTypeOf(**input);
  StringRef op = node.op->name;
  if (op == "Not") {
    if (type != ElementType::Bool)
      return wrongType(node, 0, type, "BOOL");
  } else if (type != ElementType::Float) {
    bool onIntegers = op == "Abs" || op == "Sign" ||
                      (op == "Neg" && integerFormat(type)->isSigned);
    if (!onIntegers || type == ElementType::Bool)
      return wrongType(node, 0, type, "FLOAT");
  }
  return defineGeneric(node, {0}, type, [&](Emitter &b, ValueRange in) {
    return type == ElementType::Float
               ? realFunction(b, node, in[0])
               : integerFunction(b, op, integerFormat(type)->isSigned, in[0]);
  });
}

/// Which elements are NaN or infinite.
LogicalResult Importer::importClass(const Node &node) {
  FailureOr<Known *> input = lookup(node, 0);
  if (failed(input))
    return failure();
  if (ElementType type = elementTypeOf(**input); type != ElementType::Float)
    return wrongType(node, 0, type, "FLOAT");
  bool negative = node.integer("detect_negative", 1) != 0;
  bool positive = node.integer("detect_positive", 1) != 0;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  return defineGeneric(
      node, {0}, ElementType::Bool, [&](Emitter &b, ValueRange in) {
        using arith::CmpFPredicate;
        if (node.op->name == "IsNaN")
          return byteOf(
              b, arith::CmpFOp::create(b, CmpFPredicate::UNO, in[0], in[0]));
        auto is = [&](bool asked, double value) -> Value {
          if (!asked)
            return arith::ConstantOp::create(b, b.getBoolAttr(false));
          return arith::CmpFOp::create(b, CmpFPredicate::OEQ, in[0],
                                       ::real(b, value));
        };
        return byteOf(b, arith::OrIOp::create(b, is(negative, -infinity),
                                              is(positive, infinity)));
      });
}

/// Two operands, or any number of Min, Max, Sum and Mean, one after the other.
LogicalResult Importer::importArithmetic(const Node &node) {
  SmallVector<unsigned> inputs;
  ElementType type = ElementType::Float;
  StringRef op = node.op->name;
  ElementType exponent = ElementType::Float;
  bool isLogic = op == "And" || op == "Or" || op == "Xor";
  bool isSum = op == "Sum" || op == "Mean";
  for (int index = 0; index < node.proto->input_size(); ++index) {
    FailureOr<Known *> input = lookup(node, index);
    if (failed(input))
      return failure();
    ElementType own = elementTypeOf(**input);
    // The exponent's type is its own.
    if (op == "Pow" && index == 1)
      exponent = own;
    else if (index == 0)
      type = own;
    else if (own != type)
      return wrongType(node, index, own, toString(type));
    inputs.push_back(index);
  }
  if (isLogic != (type == ElementType::Bool))
    return wrongType(node, 0, type, isLogic ? "BOOL" : "numbers");
  bool isReal = type == ElementType::Float;
  if ((isSum || op == "Pow") && !isReal)
    return wrongType(node, 0, type, "FLOAT");
  if (op == "Pow" && exponent == ElementType::Bool)
    return wrongType(node, 1, exponent, "numbers");
  return defineGeneric(node, inputs, type, [&](Emitter &b, ValueRange in) {
    Value result = in[0];
    for (Value next : in.drop_front()) {
      if (exponent != ElementType::Float)
        next = asReal(b, exponent, next);
      result = isReal
                   ? realArithmetic(b, isSum ? "Add" : op, result, next)
                   : integerArithmetic(b, node, integerFormat(type)->isSigned,
                                       result, next);
    }
    if (op == "Mean")
      result = arith::DivFOp::create(b, result,
                                     ::real(b, static_cast<double>(in.size())));
    return result;
  });
}

LogicalResult Importer::importCompare(const Node &node) {
  FailureOr<Known *> lhs = lookup(node, 0), rhs = lookup(node, 1);
  if (failed(lhs) || failed(rhs))
    return failure();
  ElementType type = elementTypeOf(**lhs);
  if (elementTypeOf(**rhs) != type)
    return wrongType(node, 1, elementTypeOf(**rhs), toString(type));
  return defineGeneric(node, {0, 1}, ElementType::Bool,
                       [&](Emitter &b, ValueRange in) {
                         return compared(b, node.op->name, type, in[0], in[1]);
                       });
}

LogicalResult Importer::importWhere(const Node &node) {
  FailureOr<Known *> condition = lookup(node, 0), lhs = lookup(node, 1),
                     rhs = lookup(node, 2);
  if (failed(condition) || failed(lhs) || failed(rhs))
    return failure();
  if (elementTypeOf(**condition) != ElementType::Bool)
    return wrongType(node, 0, elementTypeOf(**condition), "BOOL");
  ElementType type = elementTypeOf(**lhs);
  if (elementTypeOf(**rhs) != type)
    return wrongType(node, 2, elementTypeOf(**rhs), toString(type));
  return defineGeneric(
      node, {0, 1, 2}, type, [&](Emitter &b, ValueRange in) -> Value {
        return arith::SelectOp::create(b, truth(b, in[0]), in[1], in[2]);
      });
}

LogicalResult Importer::importCast(const Node &node) {
  return castTo(node, static_cast<ElementType>(node.integer("to", 0)));
}

/// To the type of another input.
LogicalResult Importer::importCastLike(const Node &node) {
  FailureOr<Known *> other = lookup(node, 1);
  if (failed(other))
    return failure();
  return castTo(node, elementTypeOf(**other));
}

LogicalResult Importer::castTo(const Node &node, ElementType to) {
  FailureOr<Known *> input = lookup(node, 0);
  if (failed(input))
    return failure();
  ElementType from = elementTypeOf(**input);
  if (to != ElementType::Float &&
      (!integerFormat(to) ||
       (integerFormat(to)->bits < 8 && to != ElementType::Bool)))
    return node.emitError() << "casts to " << toString(to)
                            << "; supported are FLOAT, BOOL and integers of 8 "
                               "to 64 bits";
  if (from == to) {
    define(node,
           (*input)->kind == Known::Accumulated ? *emitReal(**input) : **input);
    return success();
  }
  return defineGeneric(node, {0}, to, [&](Emitter &b, ValueRange in) {
    return converted(b, from, to, storedType(to), in[0]);
  });
}

/// Operators of the standard that are only supported while they can be folded.
LogicalResult Importer::importOnlyConstant(const Node &node) {
  return node.emitError() << "its inputs are computed or not those of the "
                             "standard, or it has more than 2^22 elements; "
                             "supported are constants";
}
