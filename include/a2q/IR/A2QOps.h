//===- A2QOps.h - Operations of the a2q dialect ---------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_IR_A2QOPS_H
#define A2Q_IR_A2QOPS_H

#include "a2q/IR/A2QDialect.h"

#define GET_OP_CLASSES
#include "a2q/IR/A2QOps.h.inc"

#endif // A2Q_IR_A2QOPS_H
