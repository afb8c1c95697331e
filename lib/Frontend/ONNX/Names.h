//===- Names.h - Names of a file, as they are shown -*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_FRONTEND_ONNX_NAMES_H
#define A2Q_LIB_FRONTEND_ONNX_NAMES_H

#include "llvm/ADT/StringRef.h"

#include <string>

namespace a2q::frontend {

/// Control characters as a backslash and two digits, as MLIR writes strings.
std::string escapeControls(llvm::StringRef text);

} // namespace a2q::frontend

#endif // A2Q_LIB_FRONTEND_ONNX_NAMES_H
