//===- ReferenceRun.cpp - A network on arrays, evaluated slowly -----------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Tools/ReferenceRun.h"

#include "a2q/IR/QuantTypes.h"
#include "a2q/Pipelines/LowerTosa.h"
#include "a2q/Reference/Evaluate.h"
#include "a2q/Transforms/Entry.h"
#include "mlir/Pass/PassManager.h"

#include <cstring>

using namespace llvm;
using namespace a2q;

/// One stored integer. Codes are read as their type says; the reference takes
/// plain integers by their signed value, whatever the caller calls them.
static Wide loadInteger(const char *from, size_t size, bool isSigned) {
  uint64_t bits = 0;
  std::memcpy(&bits, from, size);
  APInt value(size * 8, bits);
  return isSigned ? value.getSExtValue() : static_cast<Wide>(bits);
}

static ReferenceTensor load(const void *buffer, const TensorSpec &spec,
                            mlir::Type type) {
  ReferenceTensor tensor;
  tensor.shape = spec.shape;
  const char *bytes = static_cast<const char *>(buffer);
  if (spec.kind == ElementKind::F32) {
    std::vector<float> reals(spec.numElements());
    std::memcpy(reals.data(), bytes, spec.sizeInBytes());
    tensor.elements = std::move(reals);
    return tensor;
  }
  mlir::quant::QuantizedType codes = getQuantizedType(type);
  bool isSigned = !codes || codes.isSigned();
  size_t size = sizeInBytes(spec.kind);
  std::vector<Wide> integers(spec.numElements());
  for (auto [i, value] : enumerate(integers))
    value = loadInteger(bytes + i * size, size, isSigned);
  tensor.elements = std::move(integers);
  return tensor;
}

static void store(const ReferenceTensor &tensor, const TensorSpec &spec,
                  void *buffer) {
  char *bytes = static_cast<char *>(buffer);
  if (spec.kind == ElementKind::F32) {
    std::memcpy(bytes, tensor.reals().data(), spec.sizeInBytes());
    return;
  }
  size_t size = sizeInBytes(spec.kind);
  for (auto [i, value] : enumerate(tensor.integers())) {
    uint64_t bits = static_cast<uint64_t>(value);
    std::memcpy(bytes + i * size, &bits, size);
  }
}

Expected<ReferenceNetwork> ReferenceNetwork::prepare(mlir::ModuleOp module) {
  ReferenceNetwork network;
  network.module = module.clone();
  mlir::PassManager pm(module.getContext());
  buildLowerTosaPipeline(pm);
  if (failed(pm.run(*network.module)))
    return createStringError("the reference could not lower the network");
  mlir::FailureOr<mlir::func::FuncOp> entry = findEntry(*network.module);
  if (failed(entry))
    return createStringError("the reference found no function to evaluate");
  network.entry = *entry;
  return network;
}

Error ReferenceNetwork::run(const Signature &signature,
                            ArrayRef<const void *> inputs,
                            ArrayRef<void *> outputs,
                            std::optional<Emulation> emulation) {
  SmallVector<ReferenceTensor> arguments;
  for (auto [buffer, spec, type] :
       zip_equal(inputs, signature.inputs, entry.getArgumentTypes()))
    arguments.push_back(load(buffer, spec, type));
  auto results = evaluate(entry, arguments, emulation);
  if (failed(results))
    return createStringError("the reference could not evaluate the network");
  for (auto [buffer, spec, tensor] :
       zip_equal(outputs, signature.outputs, *results))
    store(tensor, spec, buffer);
  return Error::success();
}
