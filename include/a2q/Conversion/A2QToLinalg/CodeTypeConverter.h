//===- CodeTypeConverter.h - Codes as plain integers ------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_CONVERSION_A2QTOLINALG_CODETYPECONVERTER_H
#define A2Q_CONVERSION_A2QTOLINALG_CODETYPECONVERTER_H

#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "mlir/Transforms/DialectConversion.h"

namespace a2q {

/// The builtin integer that holds a code of `type` outside of registers: 8 bits
/// for codes of at most 8 bits, else 16 or 32. Narrower codes are extended as
/// their signedness says.
mlir::IntegerType getCodeStorageType(mlir::quant::QuantizedType type);

/// Removes `!quant.uniform` element types; every other type stays.
class CodeTypeConverter : public mlir::TypeConverter {
public:
  CodeTypeConverter();
};

} // namespace a2q

#endif // A2Q_CONVERSION_A2QTOLINALG_CODETYPECONVERTER_H
