//===- Refusals.cpp - What of a model cannot be imported ------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Refusals.h"

#include "Graph.h"

#include "llvm/ADT/StringExtras.h"

#include <map>

using namespace mlir;
using namespace a2q::frontend;

void Refusals::forget(const onnx::NodeProto &node) {
  for (const std::string &output : node.output())
    if (!output.empty())
      unknown.insert(output);
}

void Refusals::addOperator(StringRef op, StringRef name,
                           const onnx::NodeProto &node) {
  entries.push_back({op.str(), name.str(), fileLoc, "", {}});
  forget(node);
}

LogicalResult Refusals::attempt(const Node &node,
                                function_ref<LogicalResult()> body) {
  Entry entry{node.operatorName().str(), node.name, node.loc, "", {}};
  ScopedDiagnosticHandler keeper(
      fileLoc.getContext(), [&](Diagnostic &diagnostic) {
        if (diagnostic.getSeverity() != DiagnosticSeverity::Error)
          return failure();
        // Operands are looked at together, and two of them may be wrong.
        if (entry.reason.empty()) {
          entry.reason = diagnostic.str();
          entry.loc = diagnostic.getLocation();
          for (Diagnostic &note : diagnostic.getNotes())
            entry.notes.push_back(note.str());
        }
        return success();
      });
  if (succeeded(body()))
    return success();
  if (entry.reason.empty())
    entry.reason = "node '" + node.name + "' cannot be imported";
  forget(*node.proto);
  if (node.macro.empty() || last != node.name)
    entries.push_back(std::move(entry));
  last = node.name;
  return failure();
}

bool Refusals::passesOver(const Node &node) {
  if (unknown.contains(node.output()))
    return true; // it was refused itself
  if (llvm::none_of(node.proto->input(), [&](const std::string &input) {
        return unknown.contains(input);
      }))
    return false;
  forget(*node.proto);
  if (node.macro.empty() || last != node.name)
    ++passedOver;
  last = node.name;
  return true;
}

InFlightDiagnostic Refusals::emit(ArrayRef<std::string> supported) const {
  if (entries.size() == 1 && !entries.front().reason.empty()) {
    const Entry &only = entries.front();
    InFlightDiagnostic diagnostic = emitError(only.loc) << only.reason;
    for (const std::string &note : only.notes)
      diagnostic.attachNote() << note;
    return diagnostic;
  }
  std::map<std::string, std::vector<StringRef>> nodes;
  bool lacksOperators = false, hasReasons = false;
  for (const Entry &entry : entries) {
    nodes[entry.op].push_back(entry.node);
    (entry.reason.empty() ? lacksOperators : hasReasons) = true;
  }
  InFlightDiagnostic diagnostic = emitError(fileLoc);
  diagnostic << "has unsupported " << (hasReasons ? "nodes: " : "operators: ");
  llvm::interleaveComma(nodes, diagnostic, [&](const auto &group) {
    const auto &[op, names] = group;
    diagnostic << names.size() << " " << op << " ('" << names.front() << "'"
               << (names.size() > 1 ? ", ...)" : ")");
  });
  constexpr unsigned kMostReasons = 50;
  unsigned reasons = 0;
  for (const Entry &entry : entries)
    if (!entry.reason.empty() && ++reasons <= kMostReasons)
      diagnostic.attachNote(entry.loc) << entry.reason;
  if (reasons > kMostReasons)
    diagnostic.attachNote()
        << "and " << reasons - kMostReasons
        << (reasons - kMostReasons == 1 ? " more such node"
                                        : " more such nodes");
  if (passedOver)
    diagnostic.attachNote()
        << passedOver
        << (passedOver == 1 ? " node that depends on these was not looked at"
                            : " nodes that depend on these were not looked at");
  if (lacksOperators) {
    Diagnostic &note = diagnostic.attachNote();
    note << "supported are ";
    llvm::interleaveComma(supported, note);
  }
  return diagnostic;
}
