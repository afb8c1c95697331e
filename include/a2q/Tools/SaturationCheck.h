//===- SaturationCheck.h - Byte products of a model's layers ----*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_TOOLS_SATURATIONCHECK_H
#define A2Q_TOOLS_SATURATIONCHECK_H

#include "a2q/Analysis/SaturationReport.h"
#include "a2q/Calibration/Observe.h"
#include "a2q/Tools/ModelLoader.h"

namespace a2q {

struct SaturationQuestion {
  std::string model;
  std::string isa = "avx2";
  /// Look at the layers of an .onnx file alone, with all codes that their types
  /// hold.
  bool byType = false;
  /// Of inputs that the file leaves open.
  std::vector<InputShape> shapes;
};

/// Data for the network, as its signature wants them.
using DataBinder =
    llvm::function_ref<llvm::Expected<CalibrationData>(const Signature &)>;

/// What the question asks of every layer; an error for an unknown instruction
/// set.
llvm::Expected<SaturationOptions>
makeOptions(const SaturationQuestion &question);

/// Asks of every layer whether its byte products saturate. With `bindData` the
/// ranges are those that the network has on the data; `options` then knows
/// them. Of an .onnx file with something that is not supported only those
/// layers are known that are safe whatever their codes are. Fails with a
/// diagnostic.
mlir::LogicalResult checkSaturation(ModelContext &context,
                                    const SaturationQuestion &question,
                                    SaturationOptions &options,
                                    SaturationReport &report,
                                    DataBinder bindData = nullptr);

/// The same of an .onnx file in memory, with the question's shapes;
/// `report.byType` is what a question says.
mlir::LogicalResult checkSaturation(llvm::MemoryBufferRef model,
                                    ModelContext &context,
                                    const SaturationQuestion &question,
                                    const SaturationOptions &options,
                                    SaturationReport &report);

} // namespace a2q

#endif // A2Q_TOOLS_SATURATIONCHECK_H
