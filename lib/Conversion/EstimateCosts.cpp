//===- EstimateCosts.cpp - What layers would cost -------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Conversion/EstimateCosts.h"
#include "A2QToPlanes/Choose.h"

#include "mlir/IR/Diagnostics.h"

using namespace mlir;
using namespace a2q;

/// Kernels read sums where they are computed.
static bool hasKernel(AccumulatingOpInterface op) {
  return isa_and_nonnull<A2QDialect>(op->getDialect()) && !op->use_empty() &&
         llvm::all_of(op->getUsers(), [](Operation *user) {
           return isa<RequantizeOp, DecodeOp>(user);
         });
}

void a2q::estimateCosts(ModuleOp module, Report &report) {
  // What cannot be lowered is an error there, and no figure here.
  ScopedDiagnosticHandler quiet(module.getContext(),
                                [](Diagnostic &) { return success(); });
  RangeAnalysis ranges(module);
  SmallVector<Layer> layers;
  SmallVector<LayerReport *> reports;
  for (LayerReport &layer : report.layers) {
    auto op = dyn_cast_or_null<AccumulatingOpInterface>(layer.source);
    if (!op || !hasKernel(op))
      continue;
    FailureOr<Layer> collected = collectLayer(op, ranges);
    if (failed(collected) || !countPositions(*collected))
      continue;
    layers.push_back(std::move(*collected));
    reports.push_back(&layer);
  }
  for (StringRef name :
       {"portable", "avx2", "avx512bw", "avx512vnni", "avx512vbmi"}) {
    ChoiceOptions options;
    options.isa = *parseIsa(name);
    options.tell = false;
    for (auto [layer, choice] :
         llvm::zip_equal(reports, chooseForms(layers, options)))
      layer->costs.push_back({name.str(), choice.form, choice.time * 1e-3});
  }
}
