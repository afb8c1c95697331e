//===- Graph.cpp - An ONNX graph, checked and sorted -*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Graph.h"

#include "Names.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Path.h"

#include <google/protobuf/stubs/logging.h>

#include <cmath>
#include <set>

using namespace mlir;
using namespace a2q::frontend;

//===----------------------------------------------------------------------===//
// Nodes
//===----------------------------------------------------------------------===//

StringRef Node::operatorName() const {
  return macro.empty() ? StringRef(proto->op_type()) : macro;
}

InFlightDiagnostic Node::emitError() const {
  return mlir::emitError(loc)
         << "node '" << name << "' (" << operatorName() << "): ";
}

InFlightDiagnostic Node::emitInputError(unsigned index) const {
  InFlightDiagnostic diagnostic = emitError();
  StringRef name = input(index);
  if (!macro.empty())
    name = name.take_front(name.rfind(kOwnName));
  diagnostic << "input '" << name << "' ";
  return diagnostic;
}

StringRef Node::input(unsigned index) const {
  if (static_cast<int>(index) >= proto->input_size())
    return "";
  return proto->input(index);
}

StringRef Node::output(unsigned index) const {
  if (static_cast<int>(index) >= proto->output_size())
    return "";
  return proto->output(index);
}

const onnx::AttributeProto *Node::find(StringRef name) const {
  for (const onnx::AttributeProto &attribute : proto->attribute())
    if (name == attribute.name())
      return &attribute;
  return nullptr;
}

int64_t Node::integer(StringRef name, int64_t otherwise) const {
  const auto *attribute = find(name);
  return attribute ? attribute->i() : otherwise;
}

float Node::real(StringRef name, float otherwise) const {
  const auto *attribute = find(name);
  return attribute ? attribute->f() : otherwise;
}

StringRef Node::string(StringRef name, StringRef otherwise) const {
  const auto *attribute = find(name);
  return attribute ? StringRef(attribute->s()) : otherwise;
}

SmallVector<int64_t> Node::integers(StringRef name,
                                    ArrayRef<int64_t> otherwise) const {
  const auto *attribute = find(name);
  if (!attribute)
    return SmallVector<int64_t>(otherwise);
  return {attribute->ints().begin(), attribute->ints().end()};
}

static bool isStandardDomain(StringRef domain) {
  return domain.empty() || domain == "ai.onnx";
}

StringRef a2q::frontend::canonicalDomain(StringRef domain) {
  if (isStandardDomain(domain))
    return "";
  if (domain == "qonnx.custom_op.general" || domain == "onnx.brevitas" ||
      domain == "finn.custom_op.general")
    return "qonnx";
  return domain;
}

const Operator *a2q::frontend::findOperator(StringRef name, StringRef domain) {
  domain = canonicalDomain(domain);
  // ONNX Runtime writes 4- and 16-bit quantization in its own domain, with the
  // same meaning.
  if (domain == "com.microsoft" &&
      (name == "QuantizeLinear" || name == "DequantizeLinear"))
    domain = "";
  for (ArrayRef<Operator> table : {supportedOperators(), macroOperators()})
    for (const Operator &op : table)
      if (op.name == name && op.domain == domain)
        return &op;
  return nullptr;
}

static std::string operatorText(StringRef name, StringRef domain) {
  std::string text = canonicalDomain(domain).empty() ? "" : domain.str() + ".";
  return text + name.str();
}

std::string a2q::frontend::escapeControls(StringRef text) {
  std::string result;
  for (unsigned char byte : text) {
    if (byte >= 0x20 && byte != 0x7f) {
      result += byte;
      continue;
    }
    result += '\\';
    result += llvm::hexdigit(byte >> 4);
    result += llvm::hexdigit(byte & 15);
  }
  return result;
}

/// Locations and diagnostics have it.
static std::string nodeName(const onnx::NodeProto &node) {
  if (!node.name().empty())
    return escapeControls(node.name());
  std::string output = node.output_size() ? node.output(0) : "";
  return escapeControls(node.op_type() + " of " + output);
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

Graph::Graph(Location loc, StringRef path)
    : refusals(loc), fileLoc(loc), folder(llvm::sys::path::parent_path(path)) {}

FailureOr<std::unique_ptr<Graph>> Graph::read(StringRef bytes, StringRef path,
                                              MLIRContext *context) {
  Location loc = FileLineColLoc::get(context, path, 0, 0);
  std::unique_ptr<Graph> graph(new Graph(loc, path));
  bool parsed = false;
  {
    google::protobuf::LogSilencer silence;
    parsed = bytes.size() <= INT32_MAX &&
             graph->model.ParseFromArray(bytes.data(), bytes.size());
  }
  if (!parsed) {
    emitError(loc) << "is not an ONNX model, or is truncated";
    return failure();
  }
  if (!graph->model.has_graph() || graph->proto().output_size() == 0) {
    emitError(loc) << "is not an ONNX model: it has no graph with outputs";
    return failure();
  }
  if (failed(graph->checkOpset()) || failed(graph->collectInitializers()))
    return failure();
  graph->checkOperators();
  graph->expandMacros();
  if (failed(graph->collectDefinitions()))
    return failure();
  graph->checkOutputs();
  if (failed(graph->sortNodes()))
    return failure();
  return graph;
}

LogicalResult Graph::checkOpset() {
  constexpr int64_t kOldest = 11, kNewest = 26;
  for (const auto &opset : model.opset_import()) {
    if (!isStandardDomain(opset.domain()))
      continue;
    if (opset.version() < kOldest || opset.version() > kNewest)
      return emitError(fileLoc)
             << "uses ONNX operator set " << opset.version()
             << ", supported are " << kOldest << " to " << kNewest;
    version = opset.version();
    return success();
  }
  return emitError(fileLoc) << "does not say which ONNX operator set it uses";
}

/// Leaves those whose operator and attributes are known.
void Graph::checkOperators() {
  MLIRContext *context = fileLoc.getContext();
  for (const onnx::NodeProto &proto : model.graph().node()) {
    const Operator *op = findOperator(proto.op_type(), proto.domain());
    std::string name = nodeName(proto);
    if (!op || op->domain == kOwnDomain) {
      refusals.addOperator(operatorText(proto.op_type(), proto.domain()), name,
                           proto);
      continue;
    }
    Node node{&proto, op, name,
              NameLoc::get(StringAttr::get(context, name), fileLoc)};
    if (succeeded(refusals.attempt(node, [&] { return checkNode(node); })))
      unsorted.push_back(std::move(node));
  }
}

LogicalResult Graph::reportRefusals() const {
  std::vector<std::string> supported;
  for (ArrayRef<Operator> table : {supportedOperators(), macroOperators()})
    for (const Operator &op : table)
      if (op.domain != kOwnDomain)
        supported.push_back(operatorText(op.name, op.domain));
  llvm::sort(supported);
  return refusals.emit(supported);
}

/// Elements of tensors may be anything; other numbers of an operator are
/// finite.
static bool isElement(StringRef attribute) {
  return attribute == "value_float" || attribute == "extrapolation_value";
}

/// Counts of inputs and outputs, and the attributes with their types.
LogicalResult Graph::checkNode(const Node &node) {
  const Operator &op = *node.op;
  unsigned count = node.proto->input_size();
  if (count < op.minInputs || count > op.maxInputs)
    return node.emitError() << "has " << count << " inputs, expected "
                            << op.minInputs << " to " << op.maxInputs;
  for (unsigned i = 0; i < op.minInputs; ++i)
    if (!node.hasInput(i))
      return node.emitError() << "input " << i << " is missing";
  if (node.proto->output_size() == 0 || node.output().empty())
    return node.emitError() << "has no output";
  StringSet<> seen;
  for (const onnx::AttributeProto &attribute : node.proto->attribute()) {
    const auto *known = llvm::find_if(op.attributes, [&](const auto &known) {
      return known.first == attribute.name();
    });
    if (known == op.attributes.end())
      return node.emitError()
             << "attribute '" << attribute.name() << "' is not supported";
    if (attribute.type() != known->second)
      return node.emitError()
             << "attribute '" << attribute.name() << "' has type "
             << onnx::AttributeProto::AttributeType_Name(attribute.type())
             << ", expected "
             << onnx::AttributeProto::AttributeType_Name(known->second);
    if (!seen.insert(attribute.name()).second)
      return node.emitError()
             << "attribute '" << attribute.name() << "' is given twice";
    if (attribute.type() == onnx::AttributeProto::FLOAT &&
        !std::isfinite(attribute.f()) && !isElement(attribute.name()))
      return node.emitError() << "attribute '" << attribute.name() << "' is "
                              << attribute.f() << ", it must be finite";
  }
  return success();
}

LogicalResult Graph::collectInitializers() {
  if (proto().sparse_initializer_size())
    return emitError(fileLoc) << "has sparse initializers, which are not "
                                 "supported; store them as dense tensors";
  for (onnx::TensorProto &tensor :
       *model.mutable_graph()->mutable_initializer())
    if (!initializers.try_emplace(tensor.name(), &tensor).second)
      return emitError(fileLoc)
             << "defines initializer '" << tensor.name() << "' twice";
  return success();
}

/// Every value has one definition; inputs may repeat initializers.
LogicalResult Graph::collectDefinitions() {
  for (const onnx::ValueInfoProto &input : proto().input())
    if (!inputs.insert(input.name()).second)
      return emitError(fileLoc)
             << "defines input '" << input.name() << "' twice";
  for (auto [index, node] : llvm::enumerate(unsorted)) {
    for (const std::string &output : node.proto->output())
      if (!output.empty() &&
          (initializers.count(output) || inputs.contains(output) ||
           !producers.try_emplace(output, index).second))
        return node.emitError()
               << "output '" << output << "' is already defined";
    for (const std::string &input : node.proto->input())
      if (!input.empty())
        consumers[input].push_back(index);
  }
  auto isDefined = [&](StringRef value) {
    return producers.count(value) || initializers.count(value) ||
           inputs.contains(value) || refusals.isUnknown(value);
  };
  for (const Node &node : unsorted)
    for (const std::string &input : node.proto->input())
      if (!input.empty() && !isDefined(input))
        return node.emitError() << "input '" << input << "' is not defined";
  StringSet<> outputs;
  for (const onnx::ValueInfoProto &output : proto().output()) {
    if (!isDefined(output.name()))
      return emitError(fileLoc)
             << "output '" << output.name() << "' is not defined";
    if (!outputs.insert(output.name()).second)
      return emitError(fileLoc)
             << "returns output '" << output.name() << "' twice";
  }
  return success();
}

/// Outputs that no operator of ours computes are fine as long as nobody reads
/// them.
void Graph::checkOutputs() {
  StringSet<> returned;
  for (const onnx::ValueInfoProto &output : proto().output())
    returned.insert(output.name());
  auto check = [&](const Node &node) -> LogicalResult {
    for (unsigned i = node.op->maxOutputs, end = node.proto->output_size();
         i < end; ++i) {
      StringRef output = node.proto->output(i);
      if (consumers.count(output) || returned.contains(output))
        return node.emitError()
               << "output '" << output << "' is not supported, only "
               << (node.op->maxOutputs == 1 ? "the first one is"
                                            : "those before it are");
    }
    return success();
  };
  for (const Node &node : unsorted)
    (void)refusals.attempt(node, [&] { return check(node); });
}

/// Kahn's algorithm, taking constants first, because they are looked at ahead,
/// and else the earliest ready node, so that a sorted model keeps its order.
LogicalResult Graph::sortNodes() {
  SmallVector<unsigned> waiting(unsorted.size(), 0);
  std::set<unsigned> ready;
  auto take = [&](unsigned index) {
    sorted.push_back(unsorted[index]);
    for (const std::string &output : unsorted[index].proto->output()) {
      auto users = consumers.find(output);
      if (output.empty() || users == consumers.end())
        continue;
      for (unsigned user : users->second)
        if (--waiting[user] == 0)
          ready.insert(user);
    }
  };
  for (auto [index, node] : llvm::enumerate(unsorted))
    for (const std::string &input : node.proto->input())
      waiting[index] += !input.empty() && producers.count(input);
  SmallVector<unsigned> constants;
  for (auto [index, node] : llvm::enumerate(unsorted)) {
    if (waiting[index])
      continue;
    if (node.proto->input_size() == 0)
      constants.push_back(index);
    else
      ready.insert(index);
  }
  for (unsigned index : constants)
    take(index);
  while (!ready.empty()) {
    unsigned index = *ready.begin();
    ready.erase(ready.begin());
    take(index);
  }
  for (auto [index, node] : llvm::enumerate(unsorted))
    if (waiting[index])
      return node.emitError() << "is part of a cycle, or depends on one";
  return success();
}

const Node *Graph::producer(StringRef value) const {
  auto found = producers.find(value);
  return found == producers.end() ? nullptr : &unsorted[found->second];
}

void Graph::release(StringRef name) {
  if (onnx::TensorProto *tensor = initializers.lookup(name)) {
    tensor->clear_raw_data();
    tensor->clear_float_data();
    tensor->clear_int32_data();
    tensor->clear_int64_data();
  }
}

bool Graph::returns(StringRef value) const {
  return llvm::any_of(proto().output(), [&](const onnx::ValueInfoProto &one) {
    return value == one.name();
  });
}

const Node *Graph::onlyConsumer(StringRef value) const {
  auto users = consumers.find(value);
  if (users == consumers.end() || users->second.size() != 1)
    return nullptr;
  if (returns(value))
    return nullptr;
  return &unsorted[users->second.front()];
}
