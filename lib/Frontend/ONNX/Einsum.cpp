//===- Einsum.cpp - Products and sums by the letters of their dimensions --===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Operands are multiplied from left to right, two at a time. Two are one
// product of matrices: letters of both that stay are batches, those that go are
// summed, and the others are rows and columns.
//
//===----------------------------------------------------------------------===//

#include "Importer.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

namespace {
/// Letters of dimensions; those of an ellipsis are numbers counted from its
/// end.
using Letters = SmallVector<int>;

struct Equation {
  SmallVector<Letters> operands;
  Letters result;
};
} // namespace

static bool has(const Letters &letters, int letter) {
  return llvm::is_contained(letters, letter);
}

/// Letters of one operand; an ellipsis has the dimensions that letters leave.
static std::optional<Letters> lettersOf(StringRef text, int64_t ellipsis) {
  Letters letters;
  bool hasEllipsis = false;
  while (!text.empty()) {
    if (text.consume_front("...")) {
      if (hasEllipsis)
        return std::nullopt;
      hasEllipsis = true;
      for (int64_t left = ellipsis; left > 0; --left)
        letters.push_back(-static_cast<int>(left));
      continue;
    }
    if (!llvm::isAlpha(text.front()))
      return std::nullopt;
    letters.push_back(text.front());
    text = text.drop_front();
  }
  return letters;
}

static FailureOr<Equation> equationOf(const Node &node,
                                      ArrayRef<Known *> inputs) {
  std::string text = node.string("equation", "").str();
  llvm::erase(text, ' ');
  auto [left, right] = StringRef(text).split("->");
  bool hasResult = text.find("->") != std::string::npos;
  SmallVector<StringRef> parts;
  left.split(parts, ',');
  Equation equation;
  int64_t most = 0;
  bool isRight = parts.size() == inputs.size();
  for (auto [part, input] : llvm::zip(parts, inputs)) {
    auto rank = static_cast<int64_t>(input->shape.size());
    int64_t ellipsis = 0;
    if (part.contains("..."))
      ellipsis = rank - (static_cast<int64_t>(part.size()) - 3);
    std::optional<Letters> letters;
    if (ellipsis >= 0)
      letters = lettersOf(part, ellipsis);
    isRight &= letters && static_cast<int64_t>(letters->size()) == rank;
    most = std::max(most, ellipsis);
    equation.operands.push_back(letters.value_or(Letters()));
  }
  if (isRight && hasResult) {
    auto letters = lettersOf(right, most);
    isRight &= letters && llvm::all_of(*letters, [&](int letter) {
                 return llvm::count(*letters, letter) == 1;
               });
    equation.result = letters.value_or(Letters());
  } else if (isRight) {
    // Those of the ellipsis, then letters that occur once, in their order.
    for (int64_t dim = most; dim > 0; --dim)
      equation.result.push_back(-static_cast<int>(dim));
    for (int letter = 'A'; letter <= 'z'; ++letter)
      if (llvm::accumulate(llvm::map_range(equation.operands,
                                           [&](const Letters &letters) {
                                             return llvm::count(letters,
                                                                letter);
                                           }),
                           0) == 1)
        equation.result.push_back(letter);
  }
  for (int letter : equation.result)
    isRight &= llvm::any_of(equation.operands, [&](const Letters &letters) {
      return has(letters, letter);
    });
  if (isRight)
    return equation;
  InFlightDiagnostic diagnostic = node.emitError();
  diagnostic << "equation '" << node.string("equation", "")
             << "' is not supported for shapes ";
  llvm::interleave(
      inputs, diagnostic,
      [&](Known *input) { diagnostic << shapeText(input->shape); }, " and ");
  diagnostic.attachNote()
      << "each operand has a letter for each of its dimensions, or an ellipsis "
         "for several; the result has each of its letters once";
  return failure();
}

/// `value` with its dimensions in the order of `order`, which are some of its
/// letters; dimensions that are missing have size 1.
Value Importer::inOrder(Value value, ArrayRef<int> letters,
                        ArrayRef<int> order) {
  SmallVector<int64_t> permutation, shape;
  for (int letter : order) {
    const auto *found = llvm::find(letters, letter);
    if (found == letters.end()) {
      shape.push_back(1);
      continue;
    }
    permutation.push_back(found - letters.begin());
    shape.push_back(typeOf(value).getDimSize(permutation.back()));
  }
  if (!llvm::is_sorted(permutation))
    value = transposed(value, permutation);
  return reshaped(value, shape);
}

/// The elements whose indices agree where letters do; each letter once.
Value Importer::diagonal(Value value, SmallVectorImpl<int> &letters) {
  Letters once;
  SmallVector<int64_t> shape;
  for (auto [letter, size] : llvm::zip(letters, typeOf(value).getShape()))
    if (!has(once, letter)) {
      once.push_back(letter);
      shape.push_back(size);
    }
  if (once.size() == letters.size())
    return value;
  Value result =
      indexed(shape, b.getF32Type(),
              [&](ImplicitLocOpBuilder &inner, ValueRange at) -> Value {
                SmallVector<Value> place;
                for (int letter : letters)
                  place.push_back(at[llvm::find(once, letter) - once.begin()]);
                return tensor::ExtractOp::create(inner, value, place);
              });
  letters.assign(once.begin(), once.end());
  return result;
}

/// The size that each letter has. Sizes of two operands agree, or one is 1 and
/// is repeated; those of one operand agree.
static LogicalResult sizesOf(const Node &node, const Equation &equation,
                             ArrayRef<Known *> inputs,
                             llvm::SmallDenseMap<int, int64_t> &sizes) {
  for (auto [letters, input] : llvm::zip(equation.operands, inputs)) {
    llvm::SmallDenseMap<int, int64_t> own;
    for (auto [letter, size] : llvm::zip(letters, input->shape)) {
      int64_t &known = sizes.try_emplace(letter, size).first->second;
      int64_t here = own.try_emplace(letter, size).first->second;
      if (here != size || (known != size && known != 1 && size != 1))
        return node.emitError()
               << "equation '" << node.string("equation", "") << "' gives one "
               << "dimension the sizes " << (here != size ? here : known)
               << " and " << size;
      known = std::max(known, size);
    }
  }
  return success();
}

LogicalResult Importer::importEinsum(const Node &node) {
  SmallVector<Known *> inputs;
  SmallVector<Value> values;
  for (int index = 0; index < node.proto->input_size(); ++index) {
    FailureOr<Known *> input = real(node, index);
    if (failed(input))
      return failure();
    inputs.push_back(*input);
    values.push_back(get(**input, Layout::Plain));
  }
  FailureOr<Equation> equation = equationOf(node, inputs);
  if (failed(equation))
    return failure();
  llvm::SmallDenseMap<int, int64_t> sizes;
  if (failed(sizesOf(node, *equation, inputs, sizes)))
    return failure();
  // A letter that is twice in one operand means the diagonal.
  for (auto [value, letters] : llvm::zip(values, equation->operands))
    value = diagonal(value, letters);
  // What only one operand has and the result has not is summed first.
  for (auto [at, letters] : llvm::enumerate(equation->operands)) {
    SmallVector<int64_t> axes;
    Letters kept;
    for (auto [dim, letter] : llvm::enumerate(letters)) {
      bool isOthers = false;
      for (auto [other, own] : llvm::enumerate(equation->operands))
        isOthers |= other != at && has(own, letter);
      if (isOthers || has(equation->result, letter))
        kept.push_back(letter);
      else
        axes.push_back(dim);
    }
    if (!axes.empty())
      values[at] = reduced(
          values[at], axes, scalar(0.0f),
          [](ImplicitLocOpBuilder &b, Value element, Value sum) -> Value {
            return arith::AddFOp::create(b, sum, element);
          });
    letters = kept;
  }
  SmallVector<int64_t> shape;
  for (int letter : equation->result)
    shape.push_back(sizes[letter]);
  if (failed(checkSize(node, shape)))
    return failure();
  // The first two become one, with all letters that are asked for later.
  auto &letters = equation->operands;
  while (values.size() > 1) {
    Letters order = equation->result;
    if (values.size() > 2) {
      order.clear();
      for (int letter : llvm::concat<int>(letters[0], letters[1]))
        if (!has(order, letter) &&
            (has(equation->result, letter) ||
             llvm::any_of(
                 ArrayRef(letters).drop_front(2),
                 [&](const Letters &own) { return has(own, letter); })))
          order.push_back(letter);
    }
    FailureOr<Value> product =
        productOf(node, ArrayRef(values).take_front(2),
                  ArrayRef(letters).take_front(2), order, sizes);
    if (failed(product))
      return failure();
    values.erase(values.begin());
    letters.erase(letters.begin());
    values[0] = *product;
    letters[0] = order;
  }
  Known result{Known::Real, shape};
  result.layouts.plain = inOrder(values[0], letters[0], equation->result);
  define(node, std::move(result));
  return success();
}

/// Both operands as batches of matrices.
FailureOr<Value>
Importer::productOf(const Node &node, ArrayRef<Value> values,
                    ArrayRef<SmallVector<int>> letters, ArrayRef<int> order,
                    const llvm::SmallDenseMap<int, int64_t> &sizes) {
  Letters batch, rows, columns, summed;
  for (int letter : letters[0]) {
    bool isShared = has(letters[1], letter);
    bool stays = llvm::is_contained(order, letter);
    (!isShared ? rows : stays ? batch : summed).push_back(letter);
  }
  for (int letter : letters[1])
    if (!has(letters[0], letter))
      columns.push_back(letter);
  auto sizesOf = [&](std::initializer_list<Letters> lists) {
    SmallVector<int64_t> shape;
    for (const Letters &list : lists)
      for (int letter : list)
        shape.push_back(sizes.lookup(letter));
    return shape;
  };
  auto count = [&](const Letters &list) {
    return elementCount(sizesOf({list})).value_or(0);
  };
  int64_t batches = count(batch), height = count(rows), width = count(columns),
          length = count(summed);
  auto matrix = [&](Value value, const Letters &own, const Letters &first,
                    const Letters &second, ArrayRef<int64_t> as) {
    Letters wanted = batch;
    llvm::append_range(wanted, first);
    llvm::append_range(wanted, second);
    value = inOrder(value, own, wanted);
    return reshaped(broadcastValue(value, sizesOf({batch, first, second})), as);
  };
  for (auto shape :
       {sizesOf({batch, rows, summed}), sizesOf({batch, summed, columns})})
    if (failed(checkSize(node, shape)))
      return failure();
  Value lhs =
      matrix(values[0], letters[0], rows, summed, {batches, height, length});
  Value rhs =
      matrix(values[1], letters[1], summed, columns, {batches, length, width});
  auto type = RankedTensorType::get({batches, height, width}, b.getF32Type());
  Value product = tosa::MatMulOp::create(b, type, lhs, rhs);
  Letters own = batch;
  llvm::append_range(own, rows);
  llvm::append_range(own, columns);
  return inOrder(reshaped(product, sizesOf({batch, rows, columns})), own,
                 order);
}
