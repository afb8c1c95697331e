//===- a2q-translate.cpp - Models of other formats to and from MLIR -*- C++
//-*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Frontend/ONNX/Import.h"

#include "mlir/Tools/mlir-translate/MlirTranslateMain.h"

int main(int argc, char **argv) {
  a2q::registerONNXImport();
  return mlir::failed(
      mlir::mlirTranslateMain(argc, argv, "a2q: import quantized models\n"));
}
