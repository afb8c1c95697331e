//===- ConstraintOverrides.cpp - Constraints of single layers -------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Transforms/ConstraintOverrides.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace mlir;
using namespace a2q;

/// A JSON value as the attribute that a constraint has in its place; null where
/// it can have none.
static Attribute attributeOf(Builder &builder, const llvm::json::Value &value) {
  if (auto flag = value.getAsBoolean())
    return builder.getBoolAttr(*flag);
  if (auto integer = value.getAsInteger())
    return builder.getI64IntegerAttr(*integer);
  if (auto number = value.getAsNumber())
    return builder.getF64FloatAttr(*number);
  if (auto string = value.getAsString())
    return builder.getStringAttr(*string);
  return {};
}

namespace {
/// The entries of one layer: those of a constraint, checked, and the others.
struct Entries {
  DictionaryAttr constraint, others;
};
} // namespace

/// The keys of a constraint are not all that the caller knows.
static LogicalResult unknownKey(StringRef key, ArrayRef<StringRef> otherKeys,
                                ConstraintSpec::EmitError emitError) {
  SmallVector<StringRef> known(ConstraintSpec::keys());
  llvm::append_range(known, otherKeys);
  llvm::sort(known);
  InFlightDiagnostic error = emitError() << "unknown key '" << key << "'";
  llvm::interleaveComma(known, error.attachNote() << "known keys: ");
  return error;
}

static FailureOr<Entries> entriesOf(Builder &builder,
                                    const llvm::json::Value &value,
                                    ArrayRef<StringRef> otherKeys,
                                    ConstraintSpec::EmitError emitError) {
  const llvm::json::Object *object = value.getAsObject();
  if (!object)
    return emitError() << "expected an object";
  NamedAttrList constraint, others;
  for (const auto &[key, entry] : *object) {
    Attribute attr = attributeOf(builder, entry);
    if (!attr)
      return emitError() << "`" << StringRef(key)
                         << "` must be a number, a string or a flag";
    bool isOther = llvm::is_contained(otherKeys, StringRef(key));
    if (!isOther && !llvm::is_contained(ConstraintSpec::keys(), StringRef(key)))
      return unknownKey(key, otherKeys, emitError);
    (isOther ? others : constraint).append(StringRef(key), attr);
  }
  MLIRContext *context = builder.getContext();
  Entries result;
  if (!others.empty())
    result.others = others.getDictionary(context);
  // An object without any entry is that of a constraint.
  if (constraint.empty() && !others.empty())
    return result;
  result.constraint = constraint.getDictionary(context);
  if (failed(ConstraintSpec().override(result.constraint, emitError)))
    return failure();
  return result;
}

/// Whether brackets in a JSON text nest deeper than `limit`. The parser
/// recurses for each, so this comes before it. What is no JSON is counted
/// somehow, and never less deep than the parser gets before it sees the
/// mistake.
static bool nestsDeeper(StringRef text, unsigned limit) {
  unsigned depth = 0;
  bool inString = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (inString) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        inString = false;
    } else if (c == '"') {
      inString = true;
    } else if (c == '[' || c == '{') {
      if (++depth > limit)
        return true;
    } else if ((c == ']' || c == '}') && depth) {
      --depth;
    }
  }
  return false;
}

/// The first key that an object of a JSON text has twice: the parser keeps the
/// last of them. The text is JSON.
static std::optional<std::string> repeatedKey(StringRef text) {
  // Keys of the objects around a place; of a list there are none.
  SmallVector<llvm::StringSet<>> open;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '{' || c == '[')
      open.emplace_back();
    if (c == '}' || c == ']')
      open.pop_back();
    if (c != '"')
      continue;
    size_t begin = i++;
    for (; text[i] != '"'; ++i)
      if (text[i] == '\\')
        ++i;
    if (!text.drop_front(i + 1).ltrim().starts_with(":"))
      continue;
    // Two spellings of a key are one.
    llvm::Expected<llvm::json::Value> key =
        llvm::json::parse(text.slice(begin, i + 1));
    if (!key) {
      llvm::consumeError(key.takeError());
      continue;
    }
    std::string name = key->getAsString().value_or("").str();
    if (!open.back().insert(name).second)
      return name;
  }
  return std::nullopt;
}

FailureOr<ConstraintOverrides>
ConstraintOverrides::read(StringRef path, Location loc,
                          ArrayRef<StringRef> otherKeys) {
  auto error = [&]() -> InFlightDiagnostic {
    return emitError(loc) << "constraints in '" << path << "': ";
  };
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/true);
  if (!buffer)
    return error() << buffer.getError().message();
  // Entries nest two deep; a few more have the parser say what is wrong.
  static constexpr unsigned kMaxDepth = 16;
  if (nestsDeeper((*buffer)->getBuffer(), kMaxDepth))
    return error() << "brackets nest deeper than " << kMaxDepth
                   << "; layers are objects in one object";
  llvm::Expected<llvm::json::Value> json =
      llvm::json::parse((*buffer)->getBuffer());
  if (!json)
    return error() << llvm::toString(json.takeError());
  const llvm::json::Object *layers = json->getAsObject();
  if (!layers)
    return error() << "expected an object of layers";
  if (std::optional<std::string> key = repeatedKey((*buffer)->getBuffer()))
    return error() << "'" << *key << "' is there twice";
  ConstraintOverrides result;
  result.path = path;
  Builder builder(loc.getContext());
  for (const auto &[name, value] : *layers) {
    FailureOr<Entries> entries =
        entriesOf(builder, value, otherKeys, [&, layer = StringRef(name)] {
          return error() << "layer '" << layer << "': ";
        });
    if (failed(entries))
      return failure();
    result.names.push_back(StringRef(name).str());
    if (entries->constraint)
      result.entries[StringRef(name)] = entries->constraint;
    if (entries->others)
      result.otherEntries[StringRef(name)] = entries->others;
  }
  return result;
}

LogicalResult ConstraintOverrides::checkNames(ArrayRef<std::string> layers,
                                              Location loc) const {
  // In an order that does not depend on the table.
  SmallVector<StringRef> sorted(names.begin(), names.end());
  llvm::sort(sorted);
  for (StringRef name : sorted) {
    if (llvm::is_contained(layers, name))
      continue;
    InFlightDiagnostic error = emitError(loc)
                               << "constraints in '" << path
                               << "': there is no layer '" << name << "'";
    Diagnostic &note = error.attachNote() << "layers: ";
    llvm::interleaveComma(layers, note);
    return error;
  }
  return success();
}
