//===- A2QDialect.h - The a2q dialect -------------------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_IR_A2QDIALECT_H
#define A2Q_IR_A2QDIALECT_H

#include "a2q/Math/Requantization.h"
#include "a2q/Math/Staging.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace a2q {

/// Keywords of the rounding modes, as the generated attribute code wants them.
llvm::StringRef stringifyRounding(Rounding rounding);
std::optional<Rounding> symbolizeRounding(llvm::StringRef keyword);

/// One accumulator of a chain: its bits and the most products in one tile
/// (0 for the outermost stage, which covers all).
struct AccumulatorStage {
  unsigned width = 0;
  int64_t terms = 0;

  bool operator==(const AccumulatorStage &) const = default;
};
llvm::hash_code hash_value(const AccumulatorStage &stage);

} // namespace a2q

#include "a2q/IR/A2QDialect.h.inc"

#define GET_TYPEDEF_CLASSES
#include "a2q/IR/A2QTypes.h.inc"

#define GET_ATTRDEF_CLASSES
#include "a2q/IR/A2QAttributes.h.inc"

#include "a2q/IR/A2QInterfaces.h.inc"

#endif // A2Q_IR_A2QDIALECT_H
