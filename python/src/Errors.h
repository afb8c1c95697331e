//===- Errors.h - Diagnostics as exceptions --------------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_PYTHON_ERRORS_H
#define A2Q_PYTHON_ERRORS_H

#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/Error.h"
#include <nanobind/nanobind.h>

#include <exception>
#include <string>
#include <vector>

namespace a2q::python {

/// A diagnostic without the context that it came from.
struct Message {
  std::string severity, text, location;
  std::vector<Message> notes;
};

/// Becomes `a2q.Error`.
class Failure : public std::exception {
public:
  explicit Failure(std::string text);
  explicit Failure(llvm::Error error);
  explicit Failure(std::vector<Message> messages)
      : messages(std::move(messages)) {}

  const char *what() const noexcept override;
  const std::vector<Message> &getMessages() const { return messages; }

private:
  std::vector<Message> messages;
};

template <typename T> T unwrap(llvm::Expected<T> value) {
  if (!value)
    throw Failure(value.takeError());
  return std::move(*value);
}

inline void check(llvm::Error error) {
  if (error)
    throw Failure(std::move(error));
}

/// Keeps the diagnostics of a context while it lives, instead of printing them.
class Diagnostics {
public:
  explicit Diagnostics(mlir::MLIRContext *context);

  /// Throws what was said, when something failed.
  void check(mlir::LogicalResult result) {
    if (failed(result))
      raise();
  }
  template <typename T> T check(mlir::FailureOr<T> value) {
    if (failed(value))
      raise();
    return std::move(*value);
  }
  template <typename T> T check(llvm::Expected<T> value) {
    if (!value)
      raise(llvm::toString(value.takeError()));
    return std::move(*value);
  }
  [[noreturn]] void raise(std::string text = {});

private:
  std::vector<Message> messages;
  mlir::ScopedDiagnosticHandler handler;
};

/// Text of a model need not be UTF-8.
nanobind::object toText(const std::string &bytes);

void bindErrors(nanobind::module_ &module);

} // namespace a2q::python

#endif // A2Q_PYTHON_ERRORS_H
