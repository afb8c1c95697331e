//===- Report.h - What is known of a module's accumulators ------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The report is made from the module alone: the integers of its weights, the
// proven ranges of its activations, and the accumulators that its types and
// schedules name. It is data first, and written in three forms: JSON for
// programs (docs/report.schema.json is its schema), a table of 80 columns for
// people, and that JSON in a page (HTMLReport.h).
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_ANALYSIS_REPORT_H
#define A2Q_ANALYSIS_REPORT_H

#include "a2q/Analysis/Accumulators.h"

namespace a2q {

/// One accumulator of a layer's chain. `terms` is the most products in a tile,
/// K for the outermost stage.
struct StageReport {
  unsigned width = 0;
  int64_t terms = 0;
  int64_t tiles = 1;
};

/// How the weights of a layer were constrained.
struct ConstraintReport {
  std::string method;
  unsigned width = 0;
  std::optional<int64_t> tile; ///< terms; nullopt where one accumulator has all
  std::string bound;
  int64_t channelsChanged = 0;
  int64_t emptied = 0; ///< channels that lost all their weights
  /// l1 norms of the channel that has the largest.
  int64_t l1Before = 0, l1After = 0;
  double sparsityBefore = 0, sparsityAfter = 0;
  /// Squared and relative, of the integers as the method scales them: of the
  /// weights, and of the sums on the calibration inputs where moments of those
  /// are known.
  double weightError = 0;
  std::optional<double> outputError;
  /// New scales over old ones.
  double scaleMin = 1, scaleMax = 1;
  /// Statistics of the sums that were brought back: "", "mean", "mean and
  /// variance".
  std::string restored = {};
};

/// What the compiler's cost model says of a layer on one kind of processor.
struct CostReport {
  std::string isa;
  std::string form; ///< of the kernel that it would choose
  double microseconds = 0;
};

/// One accumulating op.
struct LayerReport {
  std::string name;
  std::string op;
  mlir::LocationAttr location;
  /// The op itself, while it lives.
  mlir::Operation *source = nullptr;
  int64_t reductionLength = 0;
  /// Joined over all terms of all channels; padding is in it.
  Range activations;
  unsigned weightBits = 0;
  /// The share of weights that are 0.
  double sparsity = 0;
  /// False for products of two activations: the norms are then those of no
  /// weights, and `a2q` and `a2q-plus` say nothing.
  bool constantWeights = true;
  /// Whole K, without bias.
  std::vector<ChannelBounds> channels;
  /// What the intervals stand on: "box" for the range of each input, else who
  /// bounds all inputs together: "layernorm", "rmsnorm", "softmax".
  std::string proof = "box";
  /// `exact` and `centred` by the ranges alone, in the worst channel.
  unsigned boxExact = 1, boxCentred = 1;
  /// The type as text.
  std::string accumulator;
  std::vector<StageReport> stages;
  /// Widenings of an inner accumulator per output element.
  int64_t spills = 0;
  /// For each kind of processor; empty where nothing was estimated
  /// (a2q/Conversion/EstimateCosts.h).
  std::vector<CostReport> costs;
  std::optional<ConstraintReport> constraint;
  std::vector<std::string> notes;

  /// What a bound asks for in the worst channel; nullopt where it says nothing.
  std::optional<unsigned> width(Bound bound) const;
  /// `exact` in the worst channel for codes shifted to signed.
  unsigned zeroPointWidth() const;
};

struct Report {
  /// The CPU that the program is compiled for; empty when there is none.
  std::string target;
  /// In program order.
  std::vector<LayerReport> layers;
  /// The file that the network comes from, for pages; empty when there is none.
  std::string model = {};
};

/// The name that a location carries, looked for in what it is made of; empty
/// where there is none.
llvm::StringRef locationName(mlir::Location location);

/// The name of a layer: that of its location (an importer keeps the model's
/// node names there), else the op's name and its number among the layers.
std::string layerName(mlir::Operation *op, int64_t index);
/// The name that an op called `kind` would have in this op's place.
std::string layerName(mlir::Operation *op, llvm::StringRef kind, int64_t index);

/// Leaves a sentence for the report on the op. `pass` says who leaves it: a
/// later note of the same pass replaces it, and an empty one removes it.
void setNote(mlir::Operation *op, llvm::StringRef pass, llvm::StringRef note);

/// Leaves the figures for the report on the op, as the attribute
/// `a2q.constrained`.
void setConstraintReport(mlir::Operation *op, const ConstraintReport &report);

/// Collects the report of all accumulating ops below `root`. An op whose
/// integers are not known is an error at its location.
mlir::FailureOr<Report> buildReport(mlir::Operation *root);

/// Writes JSON: version 1, keys in a fixed order, layers in program order.
void writeJSON(const Report &report, llvm::raw_ostream &os);

/// Writes a table of 80 columns.
void writeTable(const Report &report, llvm::raw_ostream &os);

/// Whether a report can have this name: `-` or something that ends in `.json`
/// or `.html`.
/// On failure `error` says why not.
mlir::LogicalResult checkReportName(llvm::StringRef path, std::string &error);

/// Writes the report to a file, as a page where its name ends in `.html`, as
/// JSON where it ends in `.json`; JSON to standard output for `-`. The file
/// appears complete or not at all. On failure `error` says why.
mlir::LogicalResult writeReport(const Report &report, llvm::StringRef path,
                                std::string &error);

} // namespace a2q

#endif // A2Q_ANALYSIS_REPORT_H
