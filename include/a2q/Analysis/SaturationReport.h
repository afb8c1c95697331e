//===- SaturationReport.h - What is said of saturation ----------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The answers of Saturation.h for programs (JSON, docs/saturation.schema.json
// is its schema) and for people (80 columns).
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_ANALYSIS_SATURATIONREPORT_H
#define A2Q_ANALYSIS_SATURATIONREPORT_H

#include "a2q/Analysis/Saturation.h"
#include "a2q/Math/LayerMend.h"

namespace a2q {

/// What was changed in a file before this report was made of it.
struct SaturationFix {
  /// "lossless" or "all".
  std::string mode;
  /// The file with the changes.
  std::string output;
  /// Of the layers that were unsafe.
  std::vector<LayerMend> layers;
};

struct SaturationReport {
  /// The instruction set asked for.
  std::string isa;
  /// How many runs the ranges were observed on; nullopt where they are proven.
  std::optional<int64_t> observedRuns;
  /// Ranges are all that the types of the activations hold.
  bool byType = false;
  /// In program order.
  std::vector<LayerSaturation> layers;
  /// Per layer the file of its witness, or empty.
  std::vector<std::string> witnessFiles;
  /// Layers are those of the mended file.
  std::optional<SaturationFix> fix;
  /// The file that was checked, for pages; empty when there is none.
  std::string model = {};

  /// Unsafe if a layer is, else unknown if a layer is.
  SaturationAnswer answer() const;
};

/// Version 1, keys in a fixed order.
void writeJSON(const SaturationReport &report, llvm::raw_ostream &os);

/// A table, the first offending pair of each unsafe layer, why nothing is known
/// of others, and one line that sums up.
void writeTable(const SaturationReport &report, llvm::raw_ostream &os);

} // namespace a2q

#endif // A2Q_ANALYSIS_SATURATIONREPORT_H
