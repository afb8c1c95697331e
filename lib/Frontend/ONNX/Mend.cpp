//===- Mend.cpp - ONNX files whose byte products are exact ------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Frontend/ONNX/Mend.h"

#include "MendAbsorb.h"
#include "MendLayer.h"
#include "MendShift.h"

#include "a2q/Math/PairMending.h"
#include "llvm/Support/Path.h"

#include <google/protobuf/stubs/logging.h>

#include <cmath>
#include <numeric>

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

/// In MendMode::All, weights change where a layer would grow by more than this
/// part of it.
static constexpr int64_t kGrowthOf = 8;

namespace {
/// What is known of the file while it is mended.
struct Progress {
  /// Of values whose codes are in u8 because a layer was mended: what was taken
  /// from those that the instruction multiplied.
  llvm::StringMap<int64_t> bases;
  /// Layers by name, their codes in the order that their channels have now.
  llvm::StringMap<LayerToMend> layers;

  /// The codes of a layer as the instruction has them now, one range for all or
  /// one for each channel; none where nothing is known.
  std::vector<a2q::Range> codesOf(const MendLayer &layer) const;
};

/// Mends one layer, from what is known of its codes.
class Mender {
public:
  Mender(MendLayer &layer, LayerToMend known, MendMode mode, Progress &progress,
         LayerMend &result)
      : layer(layer), known(std::move(known)), mode(mode), progress(progress),
        bases(progress.bases), result(result), codes(this->known.codes) {}

  void run();

private:
  std::string moveCodes(int64_t base);
  void shift();
  bool isSafe() const;
  a2q::Range joined() const;
  /// The codes of one group's input channels.
  std::vector<a2q::Range> codesOf(int64_t group) const;
  /// Where pairs are channels: rows are the taps of all outputs of a group.
  std::vector<int64_t> tableOf(int64_t group) const;
  std::vector<ColumnPlaces> placeGroups() const;
  void place(const std::vector<ColumnPlaces> &groups);
  std::vector<int64_t> orderOf(const std::vector<ColumnPlaces> &groups) const;
  std::string reorder(const std::vector<ColumnPlaces> &groups);
  std::optional<std::vector<int64_t>>
  findOrder(llvm::ArrayRef<MendLayer> layers) const;
  void widen();
  void project();
  std::vector<int64_t> termsOf(int64_t output) const;
  ProjectedRow projectOutput(int64_t output, int64_t scale) const;
  std::vector<ProjectedRow> nearestRows() const;
  void noteChange(const std::vector<ProjectedRow> &rows);

  /// Neighbours of im2col are channels of one tap where their number is even;
  /// matrix products have one tap.
  bool pairsAreChannels() const {
    return !layer.isConvolution || layer.inputs % 2 == 0;
  }

  MendLayer &layer;
  LayerToMend known;
  MendMode mode;
  Progress &progress;
  llvm::StringMap<int64_t> &bases;
  LayerMend &result;
  std::vector<a2q::Range> codes; ///< of the instruction, after bases
};
} // namespace

a2q::Range Mender::joined() const {
  a2q::Range range = codes.front();
  for (a2q::Range other : codes)
    range = join(range, other);
  return range;
}

std::vector<a2q::Range> Mender::codesOf(int64_t group) const {
  if (codes.size() == 1)
    return codes;
  return {codes.begin() + group * layer.inputs,
          codes.begin() + (group + 1) * layer.inputs};
}

std::vector<int64_t> Mender::tableOf(int64_t group) const {
  std::vector<int64_t> table;
  int64_t outputs = layer.outputs / layer.groups;
  for (int64_t output = group * outputs; output < (group + 1) * outputs;
       ++output)
    for (int64_t tap = 0; tap < layer.taps; ++tap)
      for (int64_t input = 0; input < layer.inputs; ++input)
        table.push_back(layer.weight(output, input, tap));
  return table;
}

//===----------------------------------------------------------------------===//
// Codes
//===----------------------------------------------------------------------===//

/// The codes of the instruction less `base`, in u8. The reason why not, or "".
std::string Mender::moveCodes(int64_t base) {
  std::string value = layer.activationCodes().str();
  if (value.empty())
    return "its activations have no codes in the file";
  bool isMoved = bases.contains(value);
  // In the file's codes.
  int64_t offset = isMoved ? bases.lookup(value) : known.shift;
  CodeMove move{value, /*wasSigned=*/!isMoved && known.shift != 0,
                base - offset, joined().hi - base};
  CodeShift codes(layer.getEditor(), move);
  std::string refusal = codes.find();
  if (!refusal.empty())
    return refusal;
  codes.apply();
  for (const std::string &moved : codes.moved)
    bases[moved] = base;
  for (const std::string &followed : codes.followed)
    bases[followed] = 0;
  result.translations += codes.translations;
  return "";
}

/// Codes from 0 on, where they begin higher.
void Mender::shift() {
  a2q::Range range = joined();
  auto base = [&] { return bases.lookup(layer.activationCodes()); };
  if (range.lo > base() && !layer.activationCodes().empty())
    (void)moveCodes(range.lo);
  if (base() == 0 || base() > range.lo)
    return;
  for (a2q::Range &own : codes)
    own = {own.lo - base(), own.hi - base()};
  result.steps.push_back("shift");
}

/// Whether nothing is left to do.
bool Mender::isSafe() const {
  if (!pairsAreChannels())
    return false;
  for (int64_t group = 0; group < layer.groups; ++group) {
    std::vector<int64_t> weights = tableOf(group);
    std::vector<a2q::Range> ranges = codesOf(group);
    PairTable table{weights, ranges, layer.inputs};
    for (int64_t input = 0; input + 1 < layer.inputs; input += 2)
      if (!table.goTogether(input, input + 1))
        return false;
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Places
//===----------------------------------------------------------------------===//

/// All groups with as many places.
std::vector<ColumnPlaces> Mender::placeGroups() const {
  std::vector<ColumnPlaces> groups;
  size_t most = 0;
  for (int64_t group = 0; group < layer.groups; ++group) {
    std::vector<int64_t> weights = tableOf(group);
    std::vector<a2q::Range> ranges = codesOf(group);
    groups.push_back(placeColumns({weights, ranges, layer.inputs}));
    most = std::max(most, groups.back().column.size());
  }
  int64_t rows = layer.outputs / layer.groups * layer.taps;
  // The last of an odd number of terms is alone in a matrix product.
  bool dropsLast = !layer.isConvolution && groups.front().added == 1;
  for (ColumnPlaces &places : groups) {
    auto size = dropsLast ? most - 1 : most;
    std::vector<int64_t> weights;
    for (int64_t row = 0; row < rows; ++row)
      for (size_t at = 0; at < size; ++at)
        weights.push_back(at < places.column.size()
                              ? places.weights[row * places.column.size() + at]
                              : 0);
    places.column.resize(size, 0);
    places.weights = std::move(weights);
    places.added = static_cast<int64_t>(size) - layer.inputs;
  }
  return groups;
}

std::vector<int64_t>
Mender::orderOf(const std::vector<ColumnPlaces> &groups) const {
  std::vector<int64_t> order;
  for (auto [group, columns] : llvm::enumerate(groups))
    for (int64_t column : columns.column)
      order.push_back(static_cast<int64_t>(group) * layer.inputs + column);
  return order;
}

/// By a Gather.
void Mender::place(const std::vector<ColumnPlaces> &groups) {
  auto places = static_cast<int64_t>(groups.front().column.size());
  int64_t outputs = layer.outputs / layer.groups;
  std::vector<int64_t> weights;
  for (const ColumnPlaces &columns : groups)
    for (int64_t output = 0; output < outputs; ++output)
      for (int64_t at = 0; at < places; ++at)
        for (int64_t tap = 0; tap < layer.taps; ++tap)
          weights.push_back(
              columns.weights[(output * layer.taps + tap) * places + at]);
  result.steps.push_back(places == layer.inputs ? "reorder" : "split");
  layer.gatherInputs(orderOf(groups));
  result.gathers = true;
  layer.setWeights(weights, places);
  result.termsAfter = places * layer.taps;
}

//===----------------------------------------------------------------------===//
// One order for several layers
//===----------------------------------------------------------------------===//

std::vector<a2q::Range> Progress::codesOf(const MendLayer &layer) const {
  auto found = layers.find(nameOfNode(*layer.getNode()));
  if (found == layers.end())
    return {};
  std::vector<a2q::Range> codes = found->second.codes;
  int64_t base = bases.lookup(layer.activationCodes());
  for (a2q::Range &range : codes)
    range = {range.lo - base, range.hi - base};
  return codes;
}

/// An order in which none of the layers saturates. They read the same channels,
/// each in one group.
std::optional<std::vector<int64_t>>
Mender::findOrder(ArrayRef<MendLayer> layers) const {
  int64_t columns = layer.inputs;
  std::vector<int64_t> weights;
  std::vector<a2q::Range> ranges;
  for (const MendLayer &reader : layers) {
    std::vector<a2q::Range> own =
        reader.getNode() == layer.getNode() ? codes : progress.codesOf(reader);
    for (int64_t output = 0; output < reader.outputs; ++output)
      for (int64_t tap = 0; tap < reader.taps; ++tap)
        for (int64_t input = 0; input < columns; ++input)
          weights.push_back(reader.weight(output, input, tap));
    for (int64_t input = 0; input < columns; ++input) {
      a2q::Range range = own[own.size() == 1 ? 0 : input];
      if (&reader == layers.begin())
        ranges.push_back(range);
      else
        ranges[input] = join(ranges[input], range);
    }
  }
  ColumnPlaces places = placeColumns({weights, ranges, columns});
  if (places.added)
    return std::nullopt;
  return places.column;
}

/// By the layers before it, together with all others that read these channels.
/// The reason why not, or "".
std::string Mender::reorder(const std::vector<ColumnPlaces> &groups) {
  if (!layer.readsChannels())
    return "its channels are flattened or transposed before it";
  int64_t channels = layer.inputs * layer.groups;
  ChannelOrder shared(layer.getEditor(), layer.dimsBehindChannels(), channels);
  std::string reason = shared.find(layer.getNode(), layer.activationValue());
  if (!reason.empty())
    return reason;
  std::vector<MendLayer> all, settled;
  for (onnx::NodeProto *node : shared.readers()) {
    std::string refusal, name = nameOfNode(*node);
    std::optional<MendLayer> reader =
        MendLayer::of(layer.getEditor(), node, refusal);
    std::vector<a2q::Range> own;
    if (reader)
      own = progress.codesOf(*reader);
    bool isKnown =
        own.size() == 1 || static_cast<int64_t>(own.size()) == channels;
    if (!reader || !isKnown || !reader->readsChannels() ||
        reader->inputs * reader->groups != channels)
      return "layer '" + name + "' reads them too, and cannot change";
    all.push_back(*reader);
    if (node == layer.getNode() || progress.layers[name].isSafe)
      settled.push_back(*reader);
  }
  std::vector<int64_t> order = orderOf(groups);
  if (all.size() > 1) {
    if (layer.groups != 1)
      return "other layers read them too";
    // At best all are done with one order.
    std::optional<std::vector<int64_t>> found = findOrder(all);
    // One pixel is gathered for next to nothing: the order is for others then.
    if (!found && (settled.size() == all.size() || !layer.readsOnePixel()))
      found = findOrder(settled);
    if (!found)
      return "no order serves all layers that read these channels";
    order = std::move(*found);
  }
  shared.apply(order);
  for (onnx::NodeProto *node : shared.readers()) {
    MendLayer::of(layer.getEditor(), node, reason)->permuteInputs(order);
    std::vector<a2q::Range> &own = progress.layers[nameOfNode(*node)].codes;
    std::vector<a2q::Range> old = own;
    for (size_t place = 0; own.size() > 1 && place < own.size(); ++place)
      own[place] = old[order[place]];
  }
  result.steps.push_back("reorder");
  return "";
}

//===----------------------------------------------------------------------===//
// Weights in u8
//===----------------------------------------------------------------------===//

/// Runtimes that take weights in u8 take activations in u8 beside them.
void Mender::widen() {
  if (known.shift && !bases.contains(layer.activationCodes())) {
    result.refusal = moveCodes(0);
    if (!result.refusal.empty())
      return;
    result.steps.push_back("shift");
  }
  result.refusal = layer.widen();
  if (result.refusal.empty())
    result.steps.push_back("widen");
}

//===----------------------------------------------------------------------===//
// Nearest weights
//===----------------------------------------------------------------------===//

/// In the order of im2col.
std::vector<int64_t> Mender::termsOf(int64_t output) const {
  std::vector<int64_t> terms;
  for (int64_t tap = 0; tap < layer.taps; ++tap)
    for (int64_t input = 0; input < layer.inputs; ++input)
      terms.push_back(layer.weight(output, input, tap));
  return terms;
}

/// With an odd number of channels pairs of im2col and pairs of channels
/// overlap: one after the other, because what fits keeps fitting when weights
/// move towards 0.
ProjectedRow Mender::projectOutput(int64_t output, int64_t scale) const {
  std::vector<int64_t> terms = termsOf(output);
  std::vector<a2q::Range> own =
      codesOf(output / (layer.outputs / layer.groups));
  std::vector<a2q::Range> ranges = own;
  for (int64_t tap = 1; own.size() > 1 && tap < layer.taps; ++tap)
    ranges.insert(ranges.end(), own.begin(), own.end());
  ProjectedRow row = projectRow(terms, ranges, scale);
  if (pairsAreChannels())
    return row;
  for (int64_t tap = 0; tap < layer.taps; ++tap) {
    std::span<int64_t> part =
        std::span(row.weights).subspan(tap * layer.inputs, layer.inputs);
    ProjectedRow channels = projectRow(part, own);
    std::ranges::copy(channels.weights, part.begin());
  }
  row.error = 0;
  for (size_t at = 0; at < terms.size(); ++at) {
    int64_t difference = scaleUnit * terms[at] - scale * row.weights[at];
    row.error += difference * difference;
  }
  return row;
}

/// The scale with the least error: of each output channel, or of all.
std::vector<ProjectedRow> Mender::nearestRows() const {
  MendLayer::Scales form =
      layer.hasWeightZeroPoint() ? MendLayer::Scales::None : layer.scales();
  std::vector<ProjectedRow> best;
  int64_t bestError = 0;
  for (int64_t scale = scaleUnit; scale <= sevenBitScale; ++scale) {
    std::vector<ProjectedRow> rows;
    int64_t error = 0;
    for (int64_t output = 0; output < layer.outputs; ++output) {
      // What is exact cannot become better.
      bool isExact = scale > scaleUnit &&
                     form == MendLayer::Scales::PerChannel &&
                     best[output].error == 0;
      rows.push_back(isExact ? best[output] : projectOutput(output, scale));
      error += rows.back().error;
    }
    if (scale == scaleUnit) {
      best = std::move(rows);
      bestError = error;
    } else if (form == MendLayer::Scales::PerChannel) {
      for (auto [old, row] : llvm::zip_equal(best, rows))
        if (row.error < old.error)
          old = std::move(row);
    } else if (error < bestError) {
      best = std::move(rows);
      bestError = error;
    }
    if (form == MendLayer::Scales::None || bestError == 0)
      break;
  }
  return best;
}

void Mender::project() {
  std::vector<ProjectedRow> rows = nearestRows();
  noteChange(rows);
  std::vector<int64_t> weights(layer.outputs * layer.inputs * layer.taps);
  std::vector<int64_t> scales;
  for (int64_t output = 0; output < layer.outputs; ++output) {
    scales.push_back(rows[output].scale);
    for (int64_t input = 0; input < layer.inputs; ++input)
      for (int64_t tap = 0; tap < layer.taps; ++tap)
        weights[(output * layer.inputs + input) * layer.taps + tap] =
            rows[output].weights[tap * layer.inputs + input];
  }
  layer.setWeights(weights, layer.inputs);
  if (llvm::any_of(scales, [](int64_t scale) { return scale != scaleUnit; }))
    layer.setScales(scales);
  if (result.sevenBitChannels < layer.outputs)
    result.steps.push_back("project");
  if (result.sevenBitChannels)
    result.steps.push_back("seven-bits");
}

/// How far the new weights are from the old, before they are set.
void Mender::noteChange(const std::vector<ProjectedRow> &rows) {
  double norm = 0, error = 0;
  Wide most = 0;
  for (int64_t output = 0; output < layer.outputs; ++output) {
    const ProjectedRow &row = rows[output];
    std::vector<a2q::Range> ranges =
        codesOf(output / (layer.outputs / layer.groups));
    std::vector<int64_t> terms = termsOf(output);
    Interval change;
    for (size_t at = 0; at < terms.size(); ++at) {
      int64_t old = scaleUnit * terms[at];
      int64_t difference = row.scale * row.weights[at] - old;
      norm += static_cast<double>(old * old);
      error += static_cast<double>(difference * difference);
      result.weightsChanged += difference != 0;
      result.largestChange =
          std::max(result.largestChange,
                   std::abs(static_cast<double>(difference)) / scaleUnit);
      change = change + product(difference, ranges.size() == 1
                                                ? ranges.front()
                                                : ranges[at % layer.inputs]);
    }
    most = std::max({most, change.hi, Wide(-change.lo)});
    result.rescaledChannels += row.scale != scaleUnit;
    result.sevenBitChannels += row.scale == sevenBitScale;
  }
  result.relativeError = norm > 0 ? std::sqrt(error / norm) : 0;
  result.sumChange = (most + scaleUnit - 1) / scaleUnit;
}

void Mender::run() {
  result.name = known.name;
  result.weights = layer.outputs * layer.inputs * layer.taps;
  result.termsBefore = result.termsAfter = layer.inputs * layer.taps;
  auto channels = static_cast<size_t>(layer.inputs * layer.groups);
  if (codes.size() != 1 && codes.size() != channels) {
    result.refusal = "the ranges of its channels are not known";
    return;
  }
  if (layer.isDepthwise()) {
    widen();
    if (result.refusal.empty() || mode == MendMode::Lossless)
      return;
    result.refusal.clear();
    shift();
    // Channels may have been permuted for a layer after this one.
    codes = {joined()};
    return project();
  }
  shift();
  if (isSafe()) {
    // Of another layer, for which its channels were put in order.
    if (result.steps.empty())
      result.steps.push_back("reorder");
    return;
  }
  if (layer.inputs > kMostMatched) {
    if (mode == MendMode::Lossless ||
        layer.scales() == MendLayer::Scales::None) {
      result.refusal = "it has " + std::to_string(layer.inputs) +
                       " input channels, and no more than " +
                       std::to_string(kMostMatched) + " are put in order";
      return;
    }
    return project();
  }
  std::vector<ColumnPlaces> groups = placeGroups();
  int64_t added = groups.front().added;
  if (added == 0) {
    result.gatherReason = reorder(groups);
    if (result.gatherReason.empty())
      return;
  }
  // Without a scale of its own a layer comes much less near.
  bool mayAdd = mode == MendMode::Lossless ||
                added * kGrowthOf <= layer.inputs ||
                layer.scales() == MendLayer::Scales::None;
  // Places beside zeros, and shares of weights, stand for weights of 0.
  if (layer.hasWeightZeroPoint())
    mayAdd = false;
  if (added == 0 || mayAdd)
    return place(groups);
  if (mode == MendMode::Lossless) {
    result.refusal = "its weights have a zero point, and no order of its input "
                     "channels is safe";
    return;
  }
  project();
}

llvm::Expected<MendedModel> a2q::mendONNX(llvm::MemoryBufferRef file,
                                          ArrayRef<LayerToMend> layers,
                                          MendMode mode, MLIRContext *context) {
  onnx::ModelProto model;
  StringRef bytes = file.getBuffer(), path = file.getBufferIdentifier();
  bool parsed = false;
  {
    google::protobuf::LogSilencer silence;
    parsed = bytes.size() <= INT32_MAX &&
             model.ParseFromArray(bytes.data(), bytes.size());
  }
  if (!parsed || !model.has_graph())
    return llvm::createStringError("'" + path +
                                   "': is not an ONNX model, or is truncated");
  ModelEditor editor(model, llvm::sys::path::parent_path(path), context);
  MendedModel result;
  Progress progress;
  for (const LayerToMend &known : layers)
    if (!progress.layers.try_emplace(known.name, known).second)
      progress.layers[known.name].codes.clear();
  for (const LayerToMend &given : layers) {
    if (given.isSafe)
      continue;
    LayerMend &mend = result.layers.emplace_back();
    mend.name = given.name;
    std::optional<MendLayer> layer =
        MendLayer::find(editor, given.name, mend.refusal);
    LayerToMend &known = progress.layers[given.name];
    if (layer && known.codes.empty())
      mend.refusal = "the range of its activations is not known";
    else if (layer)
      Mender(*layer, known, mode, progress, mend).run();
    known.isSafe = true;
  }
  std::string problem;
  std::optional<std::string> mended = editor.finish(problem);
  if (!mended)
    return llvm::createStringError("'" + path + "': " + problem);
  result.bytes = std::move(*mended);
  return result;
}
