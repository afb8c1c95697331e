//===- Module.cpp - The Python extension ----------------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `a2q._core`: as little as possible. What has defaults, names or documentation
// for users is in the Python files beside it.
//
//===----------------------------------------------------------------------===//

#include "Bindings.h"
#include "Errors.h"

NB_MODULE(_core, module) {
  module.doc() = "The C++ library as the Python package calls it.";
  a2q::python::bindErrors(module);
  a2q::python::bindModel(module);
  a2q::python::bindCompiled(module);
  a2q::python::bindMath(module);
  a2q::python::bindSaturation(module);
}
