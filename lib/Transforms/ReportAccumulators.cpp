//===- ReportAccumulators.cpp - What is known, for people and programs ----===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Analysis/Report.h"
#include "a2q/Transforms/Passes.h"

namespace a2q {
#define GEN_PASS_DEF_A2QREPORTACCUMULATORS
#include "a2q/Transforms/Passes.h.inc"
} // namespace a2q

using namespace mlir;
using namespace a2q;

namespace {
struct ReportAccumulators
    : a2q::impl::A2QReportAccumulatorsBase<ReportAccumulators> {
  using A2QReportAccumulatorsBase::A2QReportAccumulatorsBase;

  void runOnOperation() override;
};
} // namespace

/// The widths of the worst channel, which the type is made for, and what passes
/// had to say.
static void remarkOn(const LayerReport &layer) {
  InFlightDiagnostic remark = emitRemark(layer.location)
                              << layer.name << ": " << layer.reductionLength
                              << " terms, ";
  for (Bound bound : {Bound::DataType, Bound::A2Q, Bound::A2QPlus, Bound::Exact,
                      Bound::Centred})
    if (std::optional<unsigned> width = layer.width(bound))
      remark << StringRef(toString(bound)) << " " << *width
             << (bound == Bound::Centred ? " bits" : ", ");
  remark << "; accumulator " << layer.accumulator << ", " << layer.spills
         << " spills";
  for (const std::string &note : layer.notes)
    remark.attachNote() << note;
}

void ReportAccumulators::runOnOperation() {
  markAllAnalysesPreserved();
  FailureOr<Report> report = buildReport(getOperation());
  if (failed(report))
    return signalPassFailure();
  if (file.getValue().empty()) {
    for (const LayerReport &layer : report->layers)
      remarkOn(layer);
    return;
  }
  std::string error;
  if (failed(writeReport(*report, file.getValue(), error))) {
    getOperation()->emitError() << error;
    return signalPassFailure();
  }
}
