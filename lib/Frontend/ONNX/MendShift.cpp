//===- MendShift.cpp - Codes by other zero points -------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MendShift.h"

#include "llvm/ADT/StringSwitch.h"

#include <algorithm>

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

//===----------------------------------------------------------------------===//
// Operators
//===----------------------------------------------------------------------===//

namespace {
/// Where an operator has codes and their zero points.
struct CodeOperands {
  struct Input {
    int value, zero;
  };
  SmallVector<Input> inputs;
  int outputZero = -1;
  bool hasOneType = false; ///< for all of these values
};
} // namespace

static CodeOperands unary(bool hasOneType) { return {{{0, 2}}, 4, hasOneType}; }

/// Of ONNX and of ONNX Runtime. Weights are none of these codes.
static std::optional<CodeOperands> codeOperands(const ModelEditor &editor,
                                                const onnx::NodeProto &node) {
  using Result = std::optional<CodeOperands>;
  StringRef op = node.op_type();
  if (op == "QLinearConcat") {
    CodeOperands result{{}, 1, true};
    for (int index = 2; index + 2 < node.input_size(); index += 3)
      result.inputs.push_back({index, index + 2});
    return result;
  }
  Result result =
      llvm::StringSwitch<Result>(op)
          .Case("QuantizeLinear", CodeOperands{{}, 2, false})
          .Case("DequantizeLinear", CodeOperands{{{0, 2}}, -1, false})
          .Cases({"ConvInteger", "MatMulInteger"},
                 CodeOperands{{{0, 2}}, -1, false})
          .Case("MatMulIntegerToFloat", CodeOperands{{{0, 4}}, -1, false})
          .Case("QLinearConv", CodeOperands{{{0, 2}}, 7, true})
          .Case("QLinearMatMul", CodeOperands{{{0, 2}, {3, 5}}, 7, true})
          .Case(
              "QGemm",
              CodeOperands{{{0, 2}, {3, 5}}, hasInput(node, 7) ? 8 : -1, true})
          .Cases({"QLinearAdd", "QLinearMul"},
                 CodeOperands{{{0, 2}, {3, 5}}, 7, true})
          .Cases({"QLinearAveragePool", "QLinearGlobalAveragePool",
                  "QLinearLeakyRelu", "QLinearSigmoid", "QLinearSoftmax"},
                 unary(/*hasOneType=*/true))
          .Default(std::nullopt);
  if (result && (op == "QLinearMatMul" || op == "QGemm") &&
      (!hasInput(node, 3) || editor.constant(node.input(3))))
    result->inputs.pop_back();
  return result;
}

/// Some of the elements, or those of several values.
static bool choosesElements(StringRef op) {
  return llvm::StringSwitch<bool>(op)
      .Cases({"Concat", "DepthToSpace", "Expand", "Gather", "MaxPool", "Slice",
              "SpaceToDepth", "Split", "Tile"},
             true)
      .Default(false);
}

//===----------------------------------------------------------------------===//
// What is to move
//===----------------------------------------------------------------------===//

void CodeShift::add(StringRef value, bool isOwn) {
  if (value.empty() || values.contains(value.str()))
    return;
  values[value.str()].isOwn = isOwn;
  waiting.push_back(value.str());
}

/// All values of an operator that wants one type for them, as far as they are
/// in s8.
void CodeShift::addTypes(const onnx::NodeProto &node) {
  std::optional<CodeOperands> operands = codeOperands(editor, node);
  if (!move.wasSigned || !operands || !operands->hasOneType)
    return;
  auto addType = [&](const std::string &value, int zero) {
    std::string problem;
    if (hasInput(node, zero)) {
      std::optional<Tensor> tensor = editor.read(node.input(zero), problem);
      if (!tensor || tensor->type != ElementType::Int8)
        return;
    }
    waitingForType.push_back(value);
  };
  for (CodeOperands::Input input : operands->inputs)
    if (hasInput(node, input.value))
      addType(node.input(input.value), input.zero);
  if (operands->outputZero >= 0 && node.output_size())
    addType(node.output(0), operands->outputZero);
}

/// False where the zero point is computed, has another type, or cannot move.
bool CodeShift::addZero(onnx::NodeProto *node, int input, bool isOwn) {
  if (hasInput(*node, input)) {
    std::string problem;
    std::optional<Tensor> zero = editor.read(node->input(input), problem);
    ElementType type = move.wasSigned ? ElementType::Int8 : ElementType::UInt8;
    if (!zero || zero->type != type)
      return false;
    for (size_t at = 0; at < zero->ints.size(); ++at) {
      int64_t moved = zero->ints[at] - baseOf(isOwn);
      if (moved < 0 || moved > 255)
        return false;
    }
  } else if (baseOf(isOwn) > 0) {
    return false;
  }
  zeros.push_back({node, input, baseOf(isOwn)});
  return true;
}

/// Both sides of a node that moves elements.
bool CodeShift::passMove(const onnx::NodeProto &node, bool isOwn) {
  StringRef op = node.op_type();
  bool isWhole = !isOwn || move.isWhole();
  if (!movesElements(op) && !(choosesElements(op) && isWhole))
    return false;
  // Both of a MaxPool's results cannot be codes.
  if (op == "MaxPool" && node.output_size() > 1)
    return false;
  bool takesAll = op == "Concat";
  for (int index = 0; index < (takesAll ? node.input_size() : 1); ++index)
    add(node.input(index), isOwn);
  for (const std::string &output : node.output())
    add(output, isOwn);
  return true;
}

/// False where the value's codes have to be translated.
bool CodeShift::visitProducer(StringRef value, bool isOwn) {
  onnx::NodeProto *node = editor.producer(value);
  if (!node || editor.constant(value) || !hasInput(*node, 0))
    return false;
  std::optional<CodeOperands> operands = codeOperands(editor, *node);
  if (operands && operands->outputZero >= 0 && value == node->output(0)) {
    if (!addZero(node, operands->outputZero, isOwn))
      return false;
    addTypes(*node);
    return true;
  }
  if (node->op_type() == "Clip" && editor.opset() >= 12) {
    // What the Clip cuts off is seen by it alone, or moves as a whole.
    if (isOwn && !move.isWhole() && !editor.isReadOnce(node->input(0)))
      return false;
    add(node->input(0), isOwn);
    return true;
  }
  return passMove(*node, isOwn);
}

bool CodeShift::visitReader(const Use &use, bool isOwn) {
  if (!use.node)
    return false;
  if (std::optional<CodeOperands> operands = codeOperands(editor, *use.node)) {
    for (CodeOperands::Input input : operands->inputs)
      if (input.value == use.input) {
        if (!addZero(use.node, input.zero, isOwn))
          return false;
        addTypes(*use.node);
        return true;
      }
    return false;
  }
  if (use.node->op_type() == "Clip" && use.input == 0 && editor.opset() >= 12) {
    for (int bound : {1, 2}) {
      if (!hasInput(*use.node, bound))
        continue;
      if (!editor.constant(use.node->input(bound)))
        return false;
      bounds.push_back({use.node, bound, baseOf(isOwn)});
    }
    add(use.node->output(0), isOwn);
    return true;
  }
  return (use.input == 0 || use.node->op_type() == "Concat") &&
         passMove(*use.node, isOwn);
}

void CodeShift::closeOver() {
  while (!waiting.empty() || !waitingForType.empty()) {
    if (waiting.empty()) {
      add(waitingForType.pop_back_val(), /*isOwn=*/move.isWhole());
      continue;
    }
    std::string name = waiting.back();
    waiting.pop_back();
    bool isOwn = values[name].isOwn;
    bool isSource = !visitProducer(name, isOwn);
    SmallVector<Use> readers, oldReaders;
    for (const Use &use : editor.uses(name))
      (visitReader(use, isOwn) ? readers : oldReaders).push_back(use);
    Value &value = values[name];
    value.isSource = isSource;
    value.readers = std::move(readers);
    value.oldReaders = std::move(oldReaders);
  }
}

bool CodeShift::needsTranslation() const {
  return llvm::any_of(values, [](const auto &entry) {
    return entry.second.isSource || !entry.second.oldReaders.empty();
  });
}

/// Whether a Conv, Gemm or MatMul has the codes as weights.
static bool areWeights(const ModelEditor &editor, StringRef codes) {
  return llvm::any_of(editor.uses(codes), [&](const Use &use) {
    return use.node && use.node->output_size() &&
           llvm::any_of(editor.uses(use.node->output(0)), [](const Use &user) {
             return user.input == 1 &&
                    llvm::is_contained({"Conv", "Gemm", "MatMul"},
                                       user.node ? user.node->op_type() : "");
           });
  });
}

/// All activations that are quantized in s8.
void CodeShift::addQuantized() {
  for (const onnx::NodeProto &node : editor.graph().node()) {
    if (node.op_type() != "QuantizeLinear" || !hasInput(node, 2) ||
        editor.constant(node.input(0)) || values.contains(node.output(0)) ||
        areWeights(editor, node.output(0)))
      continue;
    std::string problem;
    std::optional<Tensor> zero = editor.read(node.input(2), problem);
    if (!zero || zero->type != ElementType::Int8)
      continue;
    CodeShift alone(editor, {node.output(0), /*wasSigned=*/true, -128, 255});
    alone.add(alone.move.value, /*isOwn=*/true);
    alone.closeOver();
    if (alone.needsTranslation())
      continue;
    add(node.output(0), /*isOwn=*/move.isWhole());
    closeOver();
  }
}

std::string CodeShift::find() {
  add(move.value, /*isOwn=*/true);
  closeOver();
  for (auto &[name, value] : values) {
    if (move.isWhole() || (!value.isSource && value.oldReaders.empty()))
      continue;
    return "the codes '" + name + "' of its activations " +
           (value.isSource ? "are made" : "are read") +
           " by what takes no other zero point";
  }
  if (!move.isWhole() && move.most < 255 && editor.opset() < 12)
    return "operator sets before 12 have no Clip of integers";
  if (move.wasSigned)
    addQuantized();
  return "";
}

//===----------------------------------------------------------------------===//
// Changes
//===----------------------------------------------------------------------===//

std::string CodeShift::byte(ElementType type, int64_t value) {
  Tensor tensor;
  tensor.type = type;
  tensor.ints = {value};
  return editor.addConstant("code", tensor);
}

void CodeShift::setZero(const Constant &zero) {
  Tensor moved;
  std::string problem, hint = nameOfNode(*zero.node) + "_zero_point";
  if (hasInput(*zero.node, zero.input))
    moved = *editor.read(zero.node->input(zero.input), problem);
  else
    moved.ints = {0};
  moved.type = ElementType::UInt8;
  for (size_t at = 0; at < moved.ints.size(); ++at)
    moved.ints[at] -= zero.base;
  editor.setInput(zero.node, zero.input, editor.addConstant(hint, moved));
  auto *attributes = zero.node->mutable_attribute();
  for (int index = attributes->size(); index-- > 0;)
    if (attributes->Get(index).name() == "output_dtype" &&
        zero.node->op_type() == "QuantizeLinear")
      attributes->DeleteSubrange(index, 1);
}

void CodeShift::setBound(const Constant &bound) {
  std::string problem;
  Tensor moved = *editor.read(bound.node->input(bound.input), problem);
  moved.type = ElementType::UInt8;
  for (size_t at = 0; at < moved.ints.size(); ++at)
    moved.ints[at] = std::clamp<int64_t>(moved.ints[at] - bound.base, 0, 255);
  std::string hint = nameOfNode(*bound.node) + "_bound";
  editor.setInput(bound.node, bound.input, editor.addConstant(hint, moved));
}

/// q to q + 128 as u8, or back.
std::string CodeShift::translate(const std::string &value,
                                 onnx::NodeProto *neighbour, bool before,
                                 bool toUnsigned) {
  Tensor real;
  real.floats = {1};
  std::string one = editor.addConstant("one", real);
  std::string bytes[2] = {byte(ElementType::Int8, 0),
                          byte(ElementType::UInt8, 128)};
  const std::string &from = bytes[toUnsigned ? 0 : 1],
                    &to = bytes[toUnsigned ? 1 : 0];
  std::string hint = value + (toUnsigned ? "_u8" : "_s8");
  onnx::NodeProto *reals = editor.addNode(neighbour, before, "DequantizeLinear",
                                          {value, one, from}, hint + "_reals");
  ++translations;
  // Each new node stands directly beside its neighbour.
  return editor
      .addNode(reals, /*before=*/false, "QuantizeLinear",
               {reals->output(0), one, to}, hint)
      ->output(0);
}

static bool isBounded(const Use &use) {
  return use.node->op_type() == "Clip" && hasInput(*use.node, 2);
}

/// The old type ended there. Returns the value that takes its place.
std::string CodeShift::cutOff(const std::string &value, ArrayRef<Use> readers) {
  onnx::NodeProto *clip = editor.addNode(
      editor.producer(value), /*before=*/false, "Clip",
      {value, byte(ElementType::UInt8, 0), byte(ElementType::UInt8, move.most)},
      nameOfNode(*editor.producer(value)) + "_clip");
  for (const Use &use : readers)
    editor.setInput(use.node, use.input, clip->output(0));
  return clip->output(0);
}

/// New codes for readers of a value that stays as it is.
void CodeShift::translateFor(StringRef name, Value &value) {
  if (value.readers.empty())
    return;
  std::string problem, result;
  if (editor.constant(name)) {
    Tensor moved = *editor.read(name, problem);
    moved.type = ElementType::UInt8;
    for (size_t at = 0; at < moved.ints.size(); ++at)
      moved.ints[at] -= baseOf(value.isOwn);
    result = editor.addConstant(name.str() + "_u8", moved);
  } else if (onnx::NodeProto *producer = editor.producer(name)) {
    result = translate(name.str(), producer, /*before=*/false, true);
  } else {
    // Before the first of the nodes that read it.
    onnx::NodeProto *first = nullptr;
    for (onnx::NodeProto &node : *editor.graph().mutable_node())
      if (!first && llvm::is_contained(node.input(), name.str()))
        first = &node;
    result = translate(name.str(), first, /*before=*/true, true);
  }
  for (const Use &use : value.readers)
    editor.setInput(use.node, use.input, result);
  (value.isOwn ? moved : followed).push_back(result);
}

void CodeShift::applyTo(StringRef name, Value &value) {
  if (value.isSource)
    return translateFor(name, value);
  std::string now = name.str();
  bool isNamed =
      llvm::any_of(value.oldReaders, [](const Use &use) { return !use.node; });
  if (isNamed)
    now = editor.renameValue(name);
  editor.forgetType(now);
  if (!value.oldReaders.empty()) {
    onnx::NodeProto *producer = editor.producer(now);
    std::string old = translate(now, producer, /*before=*/false, false);
    if (isNamed)
      editor.setOutput(editor.producer(old), 0, name);
    for (const Use &use : value.oldReaders)
      if (use.node)
        editor.setInput(use.node, use.input, isNamed ? name : StringRef(old));
  }
  onnx::NodeProto *producer = editor.producer(now);
  bool isMade = codeOperands(editor, *producer).has_value();
  if (!move.isWhole() && value.isOwn && isMade && move.most < 255 &&
      !llvm::all_of(value.readers, isBounded))
    now = cutOff(now, value.readers);
  (value.isOwn ? moved : followed).push_back(now);
}

void CodeShift::apply() {
  for (const Constant &zero : zeros)
    setZero(zero);
  for (const Constant &bound : bounds)
    setBound(bound);
  for (auto &[name, value] : values)
    applyTo(name, value);
}
