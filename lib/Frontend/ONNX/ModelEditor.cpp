//===- ModelEditor.cpp - Changes of an ONNX file ----------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ModelEditor.h"

#include "mlir/IR/Location.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringSwitch.h"

#include <algorithm>

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

ModelEditor::ModelEditor(onnx::ModelProto &model, StringRef folder,
                         MLIRContext *context)
    : model(model), folder(folder), context(context) {
  for (onnx::TensorProto &tensor : *graph().mutable_initializer()) {
    initializers.try_emplace(tensor.name(), &tensor);
    names.insert(tensor.name());
  }
  for (const onnx::ValueInfoProto &input : graph().input())
    names.insert(input.name());
  for (onnx::NodeProto &node : *graph().mutable_node()) {
    names.insert(node.name());
    for (const std::string &output : node.output()) {
      names.insert(output);
      producers.try_emplace(output, &node);
    }
    addUses(&node);
  }
  for (const onnx::ValueInfoProto &output : graph().output())
    readers[output.name()].push_back({});
  for (const auto &value : producers)
    if (uses(value.getKey()).empty())
      unreadBefore.insert(value.getKey());
  for (const auto &value : initializers)
    if (uses(value.getKey()).empty())
      unreadBefore.insert(value.getKey());
}

int64_t ModelEditor::opset() const {
  for (const auto &opset : model.opset_import())
    if (opset.domain().empty() || opset.domain() == "ai.onnx")
      return opset.version();
  return 0;
}

void ModelEditor::addUses(onnx::NodeProto *node) {
  for (int index = 0; index < node->input_size(); ++index)
    if (!node->input(index).empty())
      readers[node->input(index)].push_back({node, index});
  for (const onnx::AttributeProto &attribute : node->attribute()) {
    if (attribute.has_g())
      collectInner(attribute.g());
    for (const onnx::GraphProto &inner : attribute.graphs())
      collectInner(inner);
  }
}

/// Inner graphs may read whatever is defined around them.
void ModelEditor::collectInner(const onnx::GraphProto &inner) {
  for (const onnx::NodeProto &node : inner.node()) {
    for (const std::string &input : node.input())
      readers[input].push_back({});
    for (const std::string &output : node.output())
      names.insert(output);
    for (const onnx::AttributeProto &attribute : node.attribute()) {
      if (attribute.has_g())
        collectInner(attribute.g());
      for (const onnx::GraphProto &graph : attribute.graphs())
        collectInner(graph);
    }
  }
  for (const onnx::ValueInfoProto &output : inner.output())
    readers[output.name()].push_back({});
}

//===----------------------------------------------------------------------===//
// Questions
//===----------------------------------------------------------------------===//

onnx::NodeProto *ModelEditor::producer(StringRef value, StringRef op) const {
  onnx::NodeProto *node = producer(value);
  return node && node->op_type() == op ? node : nullptr;
}

ArrayRef<Use> ModelEditor::uses(StringRef value) const {
  auto found = readers.find(value);
  return found == readers.end() ? ArrayRef<Use>() : ArrayRef(found->second);
}

bool ModelEditor::isReadOnce(StringRef value) const {
  ArrayRef<Use> all = uses(value);
  return all.size() == 1 && all.front().node;
}

const onnx::TensorProto *ModelEditor::constant(StringRef value) const {
  if (const onnx::TensorProto *tensor = initializers.lookup(value))
    return tensor;
  if (const onnx::NodeProto *node = producer(value, "Constant"))
    for (const onnx::AttributeProto &attribute : node->attribute())
      if (attribute.name() == "value")
        return &attribute.t();
  return nullptr;
}

std::optional<Tensor> ModelEditor::read(StringRef value,
                                        std::string &problem) const {
  const onnx::TensorProto *proto = constant(value);
  problem.clear();
  if (!proto)
    return std::nullopt;
  ScopedDiagnosticHandler capture(context, [&](Diagnostic &diagnostic) {
    if (problem.empty())
      problem = diagnostic.str();
    return success();
  });
  FailureOr<Tensor> tensor = readTensor(*proto, folder, [&] {
    InFlightDiagnostic diagnostic = emitError(UnknownLoc::get(context));
    diagnostic << "'" << value << "' ";
    return diagnostic;
  });
  if (failed(tensor))
    return std::nullopt;
  return std::move(*tensor);
}

//===----------------------------------------------------------------------===//
// Changes
//===----------------------------------------------------------------------===//

std::string ModelEditor::addConstant(StringRef hint, const Tensor &tensor) {
  onnx::TensorProto *added = appendConstant(graph(), names, hint, tensor);
  initializers.try_emplace(added->name(), added);
  return added->name();
}

onnx::NodeProto *ModelEditor::addNode(onnx::NodeProto *neighbour, bool before,
                                      StringRef op,
                                      ArrayRef<std::string> inputs,
                                      StringRef hint) {
  onnx::NodeProto *node = appendNode(graph(), names, op, inputs, hint);
  addUses(node);
  producers.try_emplace(node->output(0), node);
  placed.push_back({node, neighbour, before});
  return node;
}

onnx::NodeProto *ModelEditor::addCopy(onnx::NodeProto *neighbour,
                                      const onnx::NodeProto &model,
                                      ArrayRef<std::string> inputs,
                                      StringRef hint) {
  onnx::NodeProto *node =
      addNode(neighbour, /*before=*/true, model.op_type(), inputs, hint);
  node->set_domain(model.domain());
  *node->mutable_attribute() = model.attribute();
  return node;
}

void ModelEditor::setInput(onnx::NodeProto *node, int index, StringRef value) {
  growInputs(node, index + 1);
  if (!node->input(index).empty())
    llvm::erase_if(readers[node->input(index)], [&](const Use &use) {
      return use.node == node && use.input == index;
    });
  node->set_input(index, value.str());
  if (!value.empty())
    readers[value].push_back({node, index});
}

void ModelEditor::setOutput(onnx::NodeProto *node, int index, StringRef name) {
  producers.erase(node->output(index));
  node->set_output(index, name.str());
  producers[name] = node;
}

std::string ModelEditor::renameValue(StringRef value) {
  onnx::NodeProto *node = producer(value);
  std::string name = freshName(names, value);
  SmallVector<Use> all(uses(value));
  setOutput(node, llvm::find(node->output(), value) - node->output().begin(),
            name);
  for (const Use &use : all)
    if (use.node)
      setInput(use.node, use.input, name);
  return name;
}

void ModelEditor::growInputs(onnx::NodeProto *node, int count) {
  while (node->input_size() < count)
    node->add_input("");
}

onnx::NodeProto *ModelEditor::ownProducer(onnx::NodeProto *node, int index) {
  onnx::NodeProto *source = producer(node->input(index));
  if (isReadOnce(node->input(index)))
    return source;
  std::vector<std::string> inputs(source->input().begin(),
                                  source->input().end());
  onnx::NodeProto *own =
      addCopy(node, *source, inputs,
              source->name().empty() ? source->output(0) : source->name());
  setInput(node, index, own->output(0));
  return own;
}

//===----------------------------------------------------------------------===//
// The end
//===----------------------------------------------------------------------===//

/// Puts new nodes beside their neighbours, which may be new as well.
void ModelEditor::orderNodes() {
  if (placed.empty())
    return;
  llvm::DenseMap<onnx::NodeProto *, SmallVector<onnx::NodeProto *>> before,
      after;
  llvm::DenseMap<onnx::NodeProto *, bool> isNew;
  for (const Placed &entry : placed) {
    (entry.before ? before : after)[entry.neighbour].push_back(entry.node);
    isNew[entry.node] = true;
  }
  std::vector<onnx::NodeProto *> order;
  auto visit = [&](auto &&self, onnx::NodeProto *node) -> void {
    for (onnx::NodeProto *first : before.lookup(node))
      self(self, first);
    order.push_back(node);
    for (onnx::NodeProto *next : after.lookup(node))
      self(self, next);
  };
  for (onnx::NodeProto &node : *graph().mutable_node())
    if (!isNew.contains(&node))
      visit(visit, &node);
  google::protobuf::RepeatedPtrField<onnx::NodeProto> sorted;
  for (onnx::NodeProto *node : order)
    sorted.Add()->Swap(node);
  graph().mutable_node()->Swap(&sorted);
  placed.clear();
}

/// Nodes and initializers that were read once, and are not any more.
void ModelEditor::removeUnread() {
  auto isRead = [&](const std::string &value, const llvm::StringSet<> &read) {
    return value.empty() || read.contains(value) ||
           unreadBefore.contains(value);
  };
  for (bool changed = true; changed;) {
    changed = false;
    llvm::StringSet<> read;
    for (const auto &value : readers)
      for (const Use &use : value.getValue())
        if (!use.node)
          read.insert(value.getKey());
    for (const onnx::NodeProto &node : graph().node())
      for (const std::string &input : node.input())
        read.insert(input);
    auto *nodes = graph().mutable_node();
    for (int index = nodes->size(); index-- > 0;)
      if (llvm::none_of(nodes->Get(index).output(), [&](const auto &output) {
            return !output.empty() && isRead(output, read);
          })) {
        nodes->DeleteSubrange(index, 1);
        changed = true;
      }
    auto *tensors = graph().mutable_initializer();
    for (int index = tensors->size(); index-- > 0;) {
      std::string name = tensors->Get(index).name();
      if (isRead(name, read))
        continue;
      tensors->DeleteSubrange(index, 1);
      // Old files list initializers among the inputs.
      auto *inputs = graph().mutable_input();
      for (int at = inputs->size(); at-- > 0;)
        if (inputs->Get(at).name() == name)
          inputs->DeleteSubrange(at, 1);
    }
  }
  auto *types = graph().mutable_value_info();
  for (int index = types->size(); index-- > 0;)
    if (retyped.contains(types->Get(index).name()))
      types->DeleteSubrange(index, 1);
}

bool ModelEditor::embedData(std::string &problem) {
  auto embed = [&](onnx::TensorProto &tensor) {
    if (tensor.data_location() != onnx::TensorProto::EXTERNAL)
      return true;
    ScopedDiagnosticHandler capture(context, [&](Diagnostic &diagnostic) {
      if (problem.empty())
        problem = diagnostic.str();
      return success();
    });
    FailureOr<Tensor> read = readTensor(tensor, folder, [&] {
      InFlightDiagnostic diagnostic = emitError(UnknownLoc::get(context));
      diagnostic << "'" << tensor.name() << "' ";
      return diagnostic;
    });
    if (failed(read))
      return false;
    tensor = writeTensor(tensor.name(), *read);
    return true;
  };
  for (onnx::TensorProto &tensor : *graph().mutable_initializer())
    if (!embed(tensor))
      return false;
  for (onnx::NodeProto &node : *graph().mutable_node())
    for (onnx::AttributeProto &attribute : *node.mutable_attribute())
      if (attribute.has_t() && !embed(*attribute.mutable_t()))
        return false;
  return true;
}

std::optional<std::string> ModelEditor::finish(std::string &problem) {
  problem.clear();
  orderNodes();
  removeUnread();
  if (!embedData(problem))
    return std::nullopt;
  if (model.ByteSizeLong() > INT32_MAX) {
    problem = "is larger than the 2 GiB that one file can have";
    return std::nullopt;
  }
  return model.SerializeAsString();
}

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

Tensor frontend::gather(const Tensor &tensor, int64_t dim,
                        ArrayRef<int64_t> indices) {
  int64_t inner = 1, size = tensor.shape[dim];
  for (int64_t length : ArrayRef(tensor.shape).drop_front(dim + 1))
    inner *= length;
  Tensor result;
  result.type = tensor.type;
  result.shape = tensor.shape;
  result.shape[dim] = static_cast<int64_t>(indices.size());
  int64_t outer = size ? tensor.size() / (size * inner) : 0;
  for (int64_t block = 0; block < outer; ++block)
    for (int64_t index : indices) {
      int64_t from = (block * size + index) * inner;
      if (tensor.isFloat())
        result.floats.insert(result.floats.end(), tensor.floats.begin() + from,
                             tensor.floats.begin() + from + inner);
      else
        result.ints.append(tensor.ints.begin() + from,
                           tensor.ints.begin() + from + inner);
    }
  return result;
}

bool a2q::frontend::movesElements(StringRef op) {
  return llvm::StringSwitch<bool>(op)
      .Cases({"Flatten", "Identity", "Reshape", "Squeeze", "Transpose",
              "Unsqueeze"},
             true)
      .Default(false);
}
