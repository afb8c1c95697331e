//===- Bindings.h - Parts of the extension ---------------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_PYTHON_BINDINGS_H
#define A2Q_PYTHON_BINDINGS_H

#include <nanobind/nanobind.h>

namespace a2q::python {

void bindModel(nanobind::module_ &module);
void bindCompiled(nanobind::module_ &module);
void bindMath(nanobind::module_ &module);
void bindSaturation(nanobind::module_ &module);

} // namespace a2q::python

#endif // A2Q_PYTHON_BINDINGS_H
