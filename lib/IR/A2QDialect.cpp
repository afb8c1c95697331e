//===- A2QDialect.cpp - The a2q dialect -----------------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//


#include "a2q/IR/A2QDialect.h"
#include "a2q/IR/A2QOps.h"

#include "mlir/IR/DialectImplementation.h"

using namespace mlir;
using namespace a2q;

#include "a2q/IR/A2QDialect.cpp.inc"
#include "a2q/IR/A2QInterfaces.cpp.inc"

void A2QDialect::initialize() {
  registerTypes();
  registerAttributes();
  registerOps();
}
