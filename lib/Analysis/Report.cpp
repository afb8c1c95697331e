//===- Report.cpp - What is known of a module's accumulators --------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Analysis/Report.h"

#include "a2q/Analysis/HTMLReport.h"
#include "a2q/Support/OutputFile.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>

using namespace mlir;
using namespace a2q;

//===----------------------------------------------------------------------===//
// Names and notes
//===----------------------------------------------------------------------===//

StringRef a2q::locationName(Location location) {
  if (auto name = dyn_cast<NameLoc>(location))
    return name.getName().getValue();
  if (auto call = dyn_cast<CallSiteLoc>(location))
    return locationName(call.getCallee());
  if (auto fused = dyn_cast<FusedLoc>(location))
    for (Location part : fused.getLocations())
      if (StringRef name = locationName(part); !name.empty())
        return name;
  return {};
}

std::string a2q::layerName(Operation *op, StringRef kind, int64_t index) {
  if (StringRef name = locationName(op->getLoc()); !name.empty())
    return name.str();
  return llvm::formatv("{0}#{1}", kind, index);
}

std::string a2q::layerName(Operation *op, int64_t index) {
  return layerName(op, op->getName().getStringRef(), index);
}

static constexpr StringLiteral kNotes = "a2q.notes";

void a2q::setNote(Operation *op, StringRef pass, StringRef note) {
  NamedAttrList notes;
  if (auto old = op->getAttrOfType<DictionaryAttr>(kNotes))
    notes = NamedAttrList(old);
  if (note.empty())
    notes.erase(pass);
  else
    notes.set(pass, StringAttr::get(op->getContext(), note));
  if (notes.empty())
    op->removeAttr(kNotes);
  else
    op->setAttr(kNotes, notes.getDictionary(op->getContext()));
}

//===----------------------------------------------------------------------===//
// Constraints
//===----------------------------------------------------------------------===//

void a2q::setConstraintReport(Operation *op, const ConstraintReport &report) {
  Builder builder(op->getContext());
  NamedAttrList list;
  auto integer = [&](StringRef key, int64_t value) {
    list.append(key, builder.getI64IntegerAttr(value));
  };
  auto real = [&](StringRef key, double value) {
    list.append(key, builder.getF64FloatAttr(value));
  };
  list.append("method", builder.getStringAttr(report.method));
  integer("width", report.width);
  if (report.tile)
    integer("tile", *report.tile);
  list.append("bound", builder.getStringAttr(report.bound));
  integer("channels_changed", report.channelsChanged);
  integer("emptied", report.emptied);
  integer("l1_before", report.l1Before);
  integer("l1_after", report.l1After);
  real("sparsity_before", report.sparsityBefore);
  real("sparsity_after", report.sparsityAfter);
  real("weight_error", report.weightError);
  if (report.outputError)
    real("output_error", *report.outputError);
  real("scale_min", report.scaleMin);
  real("scale_max", report.scaleMax);
  list.append("restored", builder.getStringAttr(report.restored));
  op->setAttr(A2QDialect::getConstrainedAttrName(),
              list.getDictionary(op->getContext()));
}

/// The figures that `setConstraintReport` left. Anyone may write attributes: an
/// entry that is absent or of another kind has its default.
static std::optional<ConstraintReport> constraintReport(Operation *op) {
  auto attr =
      op->getAttrOfType<DictionaryAttr>(A2QDialect::getConstrainedAttrName());
  if (!attr)
    return std::nullopt;
  auto integer = [&](StringRef key) {
    auto value = attr.getAs<IntegerAttr>(key);
    return value ? value.getValue().trySExtValue().value_or(0) : 0;
  };
  auto real = [&](StringRef key, double otherwise = 0) {
    auto value = attr.getAs<FloatAttr>(key);
    return value ? value.getValueAsDouble() : otherwise;
  };
  auto string = [&](StringRef key) {
    auto value = attr.getAs<StringAttr>(key);
    return value ? value.str() : std::string();
  };
  ConstraintReport report;
  report.method = string("method");
  report.width = static_cast<unsigned>(integer("width"));
  if (attr.contains("tile"))
    report.tile = integer("tile");
  report.bound = string("bound");
  report.channelsChanged = integer("channels_changed");
  report.emptied = integer("emptied");
  report.l1Before = integer("l1_before");
  report.l1After = integer("l1_after");
  report.sparsityBefore = real("sparsity_before");
  report.sparsityAfter = real("sparsity_after");
  report.weightError = real("weight_error");
  if (attr.contains("output_error"))
    report.outputError = real("output_error");
  report.scaleMin = real("scale_min", 1);
  report.scaleMax = real("scale_max", 1);
  report.restored = string("restored");
  return report;
}

//===----------------------------------------------------------------------===//
// Collection
//===----------------------------------------------------------------------===//

std::optional<unsigned> LayerReport::width(Bound bound) const {
  if (!constantWeights && (bound == Bound::A2Q || bound == Bound::A2QPlus))
    return std::nullopt;
  unsigned worst = 1;
  for (const ChannelBounds &channel : channels)
    worst = std::max(worst, channel.width(bound));
  return worst;
}

unsigned LayerReport::zeroPointWidth() const {
  unsigned worst = 1;
  for (const ChannelBounds &channel : channels)
    worst = std::max(worst, channel.zeroPoint);
  return worst;
}

static void describeStages(LayerReport &report, const AccumulatingOp &layer) {
  Type type = AccumulatingOpInterface(layer.op).getAccumulatorType();
  report.accumulator = llvm::formatv("{0}", type);
  auto accumulator = dyn_cast<AccumulatorType>(type);
  if (!accumulator) {
    report.stages.push_back(
        {type.getIntOrFloatBitWidth(), report.reductionLength, 1});
    return;
  }
  Schedule schedule = layer.schedule();
  for (auto [width, stage] :
       llvm::zip(accumulator.getStages(), schedule.stages)) {
    report.stages.push_back({width.width, stage.longestTile(), stage.tiles()});
    if (&stage != &schedule.stages.back())
      report.spills += stage.tiles() * stage.lanes;
  }
}

/// What is known beside ranges, and what the ranges would need.
static std::string proofNote(const LayerReport &layer) {
  return llvm::formatv("{0} bits: {1} bound; the box needs {2}",
                       *layer.width(Bound::Exact), layer.proof, layer.boxExact);
}

/// Names the fact where it gives other intervals than the ranges do.
static void describeProof(LayerReport &report, const AccumulatingOp &layer) {
  bool helps = false;
  for (int64_t channel = 0; channel < layer.problem.channels; ++channel) {
    ChannelBounds box = layer.boxBounds(channel);
    const ChannelBounds &proven = report.channels[channel];
    report.boxExact = std::max(report.boxExact, box.exact);
    report.boxCentred = std::max(report.boxCentred, box.centred);
    helps |= box.prefix != proven.prefix || box.final != proven.final;
  }
  if (!helps)
    return;
  report.proof = layer.producer;
  report.notes.push_back(proofNote(report));
}

static LayerReport describe(const AccumulatingOp &layer, int64_t index) {
  Operation *op = AccumulatingOpInterface(layer.op).getOperation();
  const AccumulationProblem &problem = layer.problem;
  LayerReport report;
  report.name = layerName(op, index);
  report.op = op->getName().getStringRef();
  report.location = op->getLoc();
  report.source = op;
  report.reductionLength = problem.length;
  report.activations = layer.activations;
  report.weightBits = layer.weightBits;
  report.constantWeights = layer.constantWeights;
  if (!problem.weights.empty())
    report.sparsity = static_cast<double>(llvm::count(problem.weights, 0)) /
                      static_cast<double>(problem.weights.size());
  for (int64_t channel = 0; channel < problem.channels; ++channel)
    report.channels.push_back(layer.bounds(channel));
  describeProof(report, layer);
  describeStages(report, layer);
  report.constraint = constraintReport(op);
  if (auto notes = op->getAttrOfType<DictionaryAttr>(kNotes))
    for (NamedAttribute note : notes)
      if (auto text = dyn_cast<StringAttr>(note.getValue()))
        report.notes.push_back(text.str());
  return report;
}

FailureOr<Report> a2q::buildReport(Operation *root) {
  RangeAnalysis ranges(root);
  Report report;
  WalkResult result = root->walk<WalkOrder::PreOrder>(
      [&](AccumulatingOpInterface op) -> WalkResult {
        if (!op.isAccumulating())
          return WalkResult::advance();
        std::string reason;
        FailureOr<AccumulatingOp> layer =
            analyzeAccumulator(op, ranges, reason);
        if (failed(layer))
          return op.emitError()
                 << "nothing is known of the accumulator: " << reason;
        report.layers.push_back(
            describe(*layer, static_cast<int64_t>(report.layers.size())));
        return WalkResult::advance();
      });
  if (result.wasInterrupted())
    return failure();
  return report;
}

//===----------------------------------------------------------------------===//
// JSON
//===----------------------------------------------------------------------===//

namespace {
/// Writes a report key by key, so that the keys keep the schema's order and
/// integers of any size stay exact.
class JSONWriter {
public:
  explicit JSONWriter(raw_ostream &os) : json(os, /*IndentSize=*/2) {}

  void write(const Report &report) {
    json.object([&] {
      json.attribute("version", 1);
      if (report.target.empty())
        json.attribute("target", nullptr);
      else
        json.attribute("target", text(report.target));
      json.attributeArray("layers", [&] {
        for (const LayerReport &layer : report.layers)
          write(layer);
      });
    });
  }

private:
  void write(const LayerReport &layer);
  void write(const ChannelBounds &channel);
  void write(const ConstraintReport &constraint);

  /// JSON is UTF-8; a name from a file may not be.
  static std::string text(StringRef string) {
    return llvm::json::isUTF8(string) ? string.str()
                                      : llvm::json::fixUTF8(string);
  }
  void exact(Wide value) { json.rawValue(a2q::toString(value)); }
  void exact(StringRef key, Wide value) {
    json.attributeBegin(key);
    exact(value);
    json.attributeEnd();
  }
  void interval(StringRef key, Interval values) {
    json.attributeArray(key, [&] {
      exact(values.lo);
      exact(values.hi);
    });
  }
  void width(StringRef key, std::optional<unsigned> bits) {
    if (bits)
      json.attribute(key, *bits);
    else
      json.attribute(key, nullptr);
  }

  llvm::json::OStream json;
};
} // namespace

void JSONWriter::write(const LayerReport &layer) {
  json.object([&] {
    json.attribute("name", text(layer.name));
    json.attribute("op", layer.op);
    json.attribute("reduction_length", layer.reductionLength);
    json.attribute("channels", static_cast<int64_t>(layer.channels.size()));
    json.attributeObject("activation", [&] {
      json.attribute("bits", codeBits(layer.activations));
      json.attribute("signed", isSigned(layer.activations));
      json.attribute("lo", layer.activations.lo);
      json.attribute("hi", layer.activations.hi);
    });
    json.attributeObject("weights", [&] {
      json.attribute("bits", layer.weightBits);
      if (layer.constantWeights)
        json.attribute("sparsity", layer.sparsity);
      else
        json.attribute("sparsity", nullptr);
    });
    json.attributeObject("width", [&] {
      for (Bound bound : {Bound::DataType, Bound::A2Q, Bound::A2QPlus,
                          Bound::Exact, Bound::Centred})
        width(toString(bound), layer.width(bound));
      width("zero-point", layer.zeroPointWidth());
    });
    json.attribute("proof", layer.proof);
    json.attributeObject("box_width", [&] {
      json.attribute("exact", layer.boxExact);
      json.attribute("centred", layer.boxCentred);
    });
    json.attribute("accumulator", layer.accumulator);
    json.attributeArray("stages", [&] {
      for (const StageReport &stage : layer.stages)
        json.object([&] {
          json.attribute("width", stage.width);
          json.attribute("terms", stage.terms);
          json.attribute("tiles", stage.tiles);
        });
    });
    json.attribute("spills", layer.spills);
    json.attributeArray("costs", [&] {
      for (const CostReport &cost : layer.costs)
        json.object([&] {
          json.attribute("isa", cost.isa);
          json.attribute("form", cost.form);
          json.attribute("microseconds", cost.microseconds);
        });
    });
    json.attributeBegin("constraint");
    if (layer.constraint)
      write(*layer.constraint);
    else
      json.value(nullptr);
    json.attributeEnd();
    json.attributeArray("per_channel", [&] {
      for (const ChannelBounds &channel : layer.channels)
        write(channel);
    });
    json.attributeArray("notes", [&] {
      for (const std::string &note : layer.notes)
        json.value(text(note));
    });
  });
}

void JSONWriter::write(const ConstraintReport &constraint) {
  auto optional = [&](StringRef key, auto value) {
    if (value)
      json.attribute(key, *value);
    else
      json.attribute(key, nullptr);
  };
  json.object([&] {
    json.attribute("method", text(constraint.method));
    json.attribute("width", constraint.width);
    optional("tile", constraint.tile);
    json.attribute("bound", text(constraint.bound));
    json.attribute("channels_changed", constraint.channelsChanged);
    json.attribute("emptied", constraint.emptied);
    json.attribute("l1_before", constraint.l1Before);
    json.attribute("l1_after", constraint.l1After);
    json.attribute("sparsity_before", constraint.sparsityBefore);
    json.attribute("sparsity_after", constraint.sparsityAfter);
    json.attribute("weight_error", constraint.weightError);
    optional("output_error", constraint.outputError);
    json.attribute("scale_min", constraint.scaleMin);
    json.attribute("scale_max", constraint.scaleMax);
    json.attribute("restored", text(constraint.restored));
  });
}

void JSONWriter::write(const ChannelBounds &channel) {
  json.object([&] {
    exact("l1", channel.norms.l1());
    exact("pos", channel.norms.pos);
    exact("neg", channel.norms.neg);
    interval("final", channel.final);
    interval("prefix", channel.prefix);
    json.attribute("final_width", channel.finalWidth);
    json.attribute("prefix_width", channel.exact);
    json.attribute("centred_width", channel.centred);
  });
}

void a2q::writeJSON(const Report &report, raw_ostream &os) {
  JSONWriter(os).write(report);
  os << '\n';
}

//===----------------------------------------------------------------------===//
// Table
//===----------------------------------------------------------------------===//

/// At most `width` characters; a long name keeps its end, which tells layers of
/// one model apart.
static std::string shorten(StringRef text, size_t width) {
  if (text.size() <= width)
    return text.str();
  return ".." + text.take_back(width - 2).str();
}

/// `8 x 12, 16 x 144, 32` of `!a2q.acc<8 x 12, 16 x 144, 32>`.
static StringRef stagesOf(StringRef accumulator) {
  if (accumulator.consume_front("!a2q.acc<"))
    accumulator.consume_back(">");
  return accumulator;
}

void a2q::writeTable(const Report &report, raw_ostream &os) {
  constexpr const char *kRow =
      "{0,-20} {1,6} {2,4} {3,4} {4,4} {5,5} {6,4} {7,-20} {8,5}\n";
  os << llvm::formatv(kRow, "layer", "K", "type", "a2q", "a2q+", "exact",
                      "cent", "accumulator", "spill");
  auto bits = [](std::optional<unsigned> width) {
    return width ? std::to_string(*width) : std::string("-");
  };
  for (const LayerReport &layer : report.layers)
    os << llvm::formatv(
        kRow, shorten(layer.name, 20), layer.reductionLength,
        bits(layer.width(Bound::DataType)), bits(layer.width(Bound::A2Q)),
        bits(layer.width(Bound::A2QPlus)), bits(layer.width(Bound::Exact)),
        bits(layer.width(Bound::Centred)),
        shorten(stagesOf(layer.accumulator), 20), layer.spills);
  for (const LayerReport &layer : report.layers)
    if (layer.proof != "box")
      os << layer.name << ": " << proofNote(layer) << '\n';
}

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

LogicalResult a2q::checkReportName(StringRef path, std::string &error) {
  if (path == "-" || path.ends_with(".json") || path.ends_with(".html"))
    return success();
  error = llvm::formatv("cannot write report '{0}': the name must end in "
                        ".json or .html",
                        path);
  return failure();
}

LogicalResult a2q::writeReport(const Report &report, StringRef path,
                               std::string &error) {
  if (failed(checkReportName(path, error)))
    return failure();
  std::string contents;
  llvm::raw_string_ostream os(contents);
  writeJSON(report, os);
  contents = reportForFile(std::move(contents), report.model, path);
  if (llvm::Error problem = writeOutputFile(path, contents)) {
    error = llvm::formatv("cannot write report '{0}': {1}", path,
                          llvm::toString(std::move(problem)));
    return failure();
  }
  return success();
}
