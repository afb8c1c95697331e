//===- Export.h - Networks to ONNX ------------------------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The way back: a network of this project as an ONNX model that other tools
// read. Layers become Conv, Gemm and MatMul between QuantizeLinear and
// DequantizeLinear, with the integers that the network has now; float layers
// and what lies between become the standard's operators. Accumulators,
// schedules and ranges have no place in ONNX and are left out: whoever reads
// the file proves them again.
//
// Codes of fewer values than their type holds get a Clip after their
// QuantizeLinear (the form that Brevitas calls QCDQ). Images are channels
// first, as ONNX wants them; transposes stand only where the layouts really
// change.
//
// QONNX says the same with reals: a Quant node rounds its input to the
// multiples of a scale that so many bits hold, and no value has codes. Where
// the zero point is not 0 it rounds some ties otherwise than QuantizeLinear
// does.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_FRONTEND_ONNX_EXPORT_H
#define A2Q_FRONTEND_ONNX_EXPORT_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <string>

namespace a2q {

enum class ONNXForm { QDQ, QONNX };

/// The bytes of an ONNX model with this function as its graph. Fails with one
/// diagnostic, at what has no counterpart.
mlir::FailureOr<std::string> exportONNX(mlir::func::FuncOp entry,
                                        ONNXForm form = ONNXForm::QDQ);

} // namespace a2q

#endif // A2Q_FRONTEND_ONNX_EXPORT_H
