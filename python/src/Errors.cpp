//===- Errors.cpp - Diagnostics as exceptions -----------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Errors.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Location.h"
#include "llvm/Support/raw_ostream.h"
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

namespace nb = nanobind;
using namespace a2q::python;

//===----------------------------------------------------------------------===//
// Collecting
//===----------------------------------------------------------------------===//

/// "conv1" or "m.mlir:3:5"; empty for unknown ones.
static std::string describe(mlir::Location location) {
  if (auto name = mlir::dyn_cast<mlir::NameLoc>(location))
    return name.getName().str();
  if (mlir::isa<mlir::UnknownLoc>(location))
    return {};
  if (auto place = mlir::dyn_cast<mlir::FileLineColLoc>(location))
    return (place.getFilename().getValue() + ":" +
            llvm::Twine(place.getLine()) + ":" + llvm::Twine(place.getColumn()))
        .str();
  std::string text;
  llvm::raw_string_ostream os(text);
  os << location;
  llvm::StringRef inner(text);
  if (inner.consume_front("loc(") && inner.consume_back(")"))
    return inner.str();
  return text;
}

static llvm::StringRef nameOf(mlir::DiagnosticSeverity severity) {
  switch (severity) {
  case mlir::DiagnosticSeverity::Note:
    return "note";
  case mlir::DiagnosticSeverity::Warning:
    return "warning";
  case mlir::DiagnosticSeverity::Error:
    return "error";
  case mlir::DiagnosticSeverity::Remark:
    return "remark";
  }
  return "error";
}

static Message convert(const mlir::Diagnostic &diagnostic) {
  Message message{nameOf(diagnostic.getSeverity()).str(),
                  diagnostic.str(),
                  describe(diagnostic.getLocation()),
                  {}};
  for (const mlir::Diagnostic &note : diagnostic.getNotes())
    message.notes.push_back(convert(note));
  return message;
}

Diagnostics::Diagnostics(mlir::MLIRContext *context)
    : handler(context, [this](mlir::Diagnostic &diagnostic) {
        messages.push_back(convert(diagnostic));
        return mlir::success();
      }) {}

void Diagnostics::raise(std::string text) {
  if (!text.empty())
    messages.push_back({"error", std::move(text), {}, {}});
  if (messages.empty())
    messages.push_back({"error", "failed without saying why", {}, {}});
  throw Failure(std::move(messages));
}

Failure::Failure(std::string text)
    : messages({{"error", std::move(text), {}, {}}}) {}

Failure::Failure(llvm::Error error)
    : Failure(llvm::toString(std::move(error))) {}

const char *Failure::what() const noexcept {
  return messages.front().text.c_str();
}

//===----------------------------------------------------------------------===//
// Raising
//===----------------------------------------------------------------------===//

nb::object a2q::python::toText(const std::string &bytes) {
  PyObject *object =
      PyUnicode_DecodeUTF8(bytes.data(), bytes.size(), "backslashreplace");
  if (!object)
    throw nb::python_error();
  return nb::steal(object);
}

static nb::list toPython(const std::vector<Message> &messages) {
  nb::list list;
  for (const Message &message : messages)
    list.append(nb::make_tuple(toText(message.severity), toText(message.text),
                               toText(message.location),
                               toPython(message.notes)));
  return list;
}

void a2q::python::bindErrors(nb::module_ &module) {
  nb::register_exception_translator(
      [](const std::exception_ptr &pointer, void *) {
        try {
          std::rethrow_exception(pointer);
        } catch (const Failure &failure) {
          nb::object type = nb::module_::import_("a2q._errors").attr("Error");
          nb::object error =
              type.attr("from_core")(toPython(failure.getMessages()));
          PyErr_SetObject(type.ptr(), error.ptr());
        }
      });
}
