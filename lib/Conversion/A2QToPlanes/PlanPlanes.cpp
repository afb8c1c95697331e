//===- PlanPlanes.cpp - Lists, tiles and lanes of a layer -------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Planes.h"

#include "a2q/Math/Centring.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace a2q;

//===----------------------------------------------------------------------===//
// Layout
//===----------------------------------------------------------------------===//

/// Planes, rows of vectors and stores begin where cache lines do.
static constexpr int64_t kLine = 64;

PlaneLayout PlaneLayout::get(ArrayRef<int64_t> imageShape, int64_t pitch,
                             int64_t reach, int64_t halo) {
  PlaneLayout layout;
  layout.images = imageShape[0];
  layout.height = imageShape[1];
  layout.width = imageShape[2];
  layout.channels = imageShape[3];
  layout.pitch = pitch;
  layout.halo = halo;
  layout.unit = kLine;
  int64_t rows = layout.height * pitch;
  if (rows <= kLine) {
    // Whole lines would be mostly halo, and the planes of many channels would
    // not fit the first level of the cache.
    layout.unit = 8;
    layout.lead = llvm::alignTo(reach * pitch + reach, layout.unit);
    layout.plane =
        llvm::alignTo(std::max(layout.lead + rows, kLine), layout.unit);
    return layout;
  }
  layout.lead = llvm::alignTo(reach * pitch + reach, kLine);
  layout.plane = layout.lead + layout.positions();
  // An odd number of lines: the same row of all planes then lies in different
  // sets of the cache.
  if (layout.plane / kLine % 2 == 0)
    layout.plane += kLine;
  return layout;
}

int64_t PlaneLayout::positions() const {
  return llvm::alignTo(height * pitch, kLine);
}

/// The last line is for the positions that round a plane up.
int64_t PlaneLayout::size() const {
  return llvm::alignTo(first(planes()) + kLine, kLine);
}

void PlaneMargins::include(const Layer &layer) {
  auto op = dyn_cast<Conv2DOp>(layer.op.getOperation());
  if (!op)
    return;
  ArrayRef<int64_t> padding = op.getPadding();
  for (int64_t size : padding)
    reach = std::max(reach, size);
  gap = std::max({gap, padding[1], padding[3]});
}

//===----------------------------------------------------------------------===//
// Lists
//===----------------------------------------------------------------------===//

namespace {
/// A weight that is not zero, and where its activation is.
struct Term {
  int64_t weight;
  a2q::Range range;
  int32_t distance;

  Interval product() const { return a2q::product(weight, range); }
  Wide span() const { return product().hi - product().lo; }
};
} // namespace

/// Signed digits, lowest first, of which no two neighbours are not zero.
static SmallVector<int> signedDigits(int64_t weight) {
  SmallVector<int> digits;
  while (weight != 0) {
    int digit = weight % 2 == 0 ? 0 : (weight & 3) == 1 ? 1 : -1;
    digits.push_back(digit);
    weight = (weight - digit) / 2;
  }
  return digits;
}

/// The terms of a channel in the order of their activations.
static SmallVector<Term>
collectTerms(const Layer &layer, const PlaneLayout &input, int64_t channel) {
  auto op = cast<Conv2DOp>(layer.op.getOperation());
  ArrayRef<int64_t> filter =
      cast<RankedTensorType>(op.getFilter().getType()).getShape();
  ArrayRef<int64_t> dilation = op.getDilations(), padding = op.getPadding();
  int64_t group = channel / layer.channels;
  auto range = [&](int64_t term) {
    if (layer.ranges.size() == 1)
      return layer.ranges[0];
    bool ofGroup = layer.ranges.size() > static_cast<size_t>(layer.length);
    return layer.ranges[(ofGroup ? group * layer.length : 0) + term];
  };
  SmallVector<Term> terms;
  for (int64_t i = 0; i < filter[3]; ++i)
    for (int64_t y = 0; y < filter[1]; ++y)
      for (int64_t x = 0; x < filter[2]; ++x) {
        int64_t term = (y * filter[2] + x) * filter[3] + i;
        int64_t weight = (*layer.weightCodes)[channel * layer.length + term];
        if (weight == 0)
          continue;
        int64_t row = y * dilation[0] - padding[0];
        int64_t column = x * dilation[1] - padding[1];
        int64_t plane = group * filter[3] + i;
        if (op.getStrides()[0] == 2) {
          plane = 4 * plane + 2 * (row & 1) + (column & 1);
          row >>= 1;
          column >>= 1;
        }
        int64_t distance = input.first(plane) + row * input.pitch + column;
        terms.push_back({weight, range(term), static_cast<int32_t>(distance)});
      }
  return terms;
}

/// Deals the terms out to so many tiles; nothing if that makes one too wide.
/// Tiles then have lists of the same lengths, whose loops end where they are
/// predicted to, and each reads the channels next to those of the one before.
static SmallVector<SmallVector<Term>> dealOut(ArrayRef<Term> terms,
                                              size_t count, Wide limit) {
  SmallVector<Term> signs[2];
  for (const Term &term : terms)
    signs[term.weight < 0].push_back(term);
  SmallVector<SmallVector<Term>> tiles(count);
  for (auto [t, tile] : llvm::enumerate(tiles)) {
    // Where the shares of all terms and of the positive ones end.
    auto share = [&](size_t all, size_t t) { return all * t / count; };
    size_t positive = share(signs[0].size(), t);
    size_t positiveEnd = share(signs[0].size(), t + 1);
    size_t negative = share(terms.size(), t) - positive;
    size_t negativeEnd = share(terms.size(), t + 1) - positiveEnd;
    tile.append(signs[0].begin() + positive, signs[0].begin() + positiveEnd);
    tile.append(signs[1].begin() + negative, signs[1].begin() + negativeEnd);
    Wide span = 0;
    for (const Term &term : tile)
      span += term.span();
    if (span > limit)
      return {};
  }
  return tiles;
}

/// As few tiles as are easily found: the widest terms first, each into the
/// first tile that has room.
static SmallVector<SmallVector<Term>> fitTiles(ArrayRef<Term> terms,
                                               Wide limit) {
  SmallVector<Term> widestFirst(terms);
  llvm::sort(widestFirst, [](const Term &a, const Term &b) {
    return std::pair(-a.span(), a.distance) < std::pair(-b.span(), b.distance);
  });
  SmallVector<SmallVector<Term>> tiles(1);
  SmallVector<Wide> spans(1, 0);
  size_t open = 0; // Tiles before it have no room for the narrowest term.
  Wide narrowest = terms.empty() ? 0 : widestFirst.back().span();
  for (const Term &term : widestFirst) {
    while (open < tiles.size() && spans[open] + narrowest > limit)
      ++open;
    size_t tile = open;
    while (tile < tiles.size() && spans[tile] + term.span() > limit)
      ++tile;
    if (tile == tiles.size()) {
      tiles.emplace_back();
      spans.push_back(0);
    }
    tiles[tile].push_back(term);
    spans[tile] += term.span();
  }
  return tiles;
}

/// Tiles in which every sum spans less than 2^bits.
static SmallVector<SmallVector<Term>> cutTiles(ArrayRef<Term> terms,
                                               unsigned bits) {
  Wide limit = (Wide(1) << bits) - 1, all = 0;
  for (const Term &term : terms)
    all += term.span();
  auto least = std::max<int64_t>(1, (all + limit - 1) / limit);
  SmallVector<SmallVector<Term>> tiles = dealOut(terms, least, limit);
  if (tiles.empty())
    tiles = fitTiles(terms, limit);
  for (SmallVector<Term> &tile : tiles)
    llvm::sort(tile, [](const Term &a, const Term &b) {
      return a.distance < b.distance;
    });
  return tiles;
}

static PlaneTile makeTile(ArrayRef<Term> terms) {
  PlaneTile tile;
  SmallVector<PlaneTile::Level> lowestFirst;
  for (const Term &term : terms) {
    tile.sum = tile.sum + term.product();
    for (auto [level, digit] : llvm::enumerate(signedDigits(term.weight))) {
      if (lowestFirst.size() <= level)
        lowestFirst.resize(level + 1);
      if (digit > 0)
        lowestFirst[level].added.push_back(term.distance);
      else if (digit < 0)
        lowestFirst[level].subtracted.push_back(term.distance);
    }
  }
  tile.levels.assign(lowestFirst.rbegin(), lowestFirst.rend());
  tile.start = static_cast<int64_t>(centredStart(tile.sum));
  return tile;
}

/// The lists of a channel; nothing when a single product is too wide.
static std::optional<SmallVector<PlaneTile>>
listChannel(const Layer &layer, const PlaneLayout &input, int64_t channel,
            unsigned bits) {
  SmallVector<Term> terms = collectTerms(layer, input, channel);
  for (const Term &term : terms)
    if (term.span() >= Wide(1) << bits)
      return std::nullopt;
  SmallVector<PlaneTile> tiles;
  for (const SmallVector<Term> &tile : cutTiles(terms, bits))
    tiles.push_back(makeTile(tile));
  return tiles;
}

/// Gives every channel the same tiles and levels; what is added is empty.
static void evenOut(PlanePlan &plan) {
  for (const SmallVector<PlaneTile> &tiles : plan.channels) {
    plan.tiles = std::max<int64_t>(plan.tiles, tiles.size());
    for (const PlaneTile &tile : tiles)
      plan.levels = std::max<int64_t>(plan.levels, tile.levels.size());
  }
  int64_t additions = 0;
  for (SmallVector<PlaneTile> &tiles : plan.channels) {
    tiles.resize(plan.tiles);
    for (PlaneTile &tile : tiles) {
      tile.levels.insert(tile.levels.begin(), plan.levels - tile.levels.size(),
                         {});
      for (const PlaneTile::Level &level : tile.levels)
        additions += level.added.size() + level.subtracted.size();
    }
  }
  plan.terms = static_cast<double>(additions) / plan.channels.size();
}

/// Integers that hold the sum of all tiles with their starts.
static void chooseSums(PlanePlan &plan) {
  plan.sumBits = plan.laneBits;
  if (plan.tiles == 1)
    return;
  plan.sumBits = plan.laneBits == 8 ? 16 : 32;
  for (size_t c = 0; c < plan.channels.size(); ++c) {
    PlaneTile all = plan.total(c);
    if (!signedInterval(plan.sumBits).contains(all.sum + all.start))
      plan.sumBits = 32;
  }
}

PlaneTile PlanePlan::total(int64_t channel) const {
  PlaneTile all;
  for (const PlaneTile &tile : channels[channel]) {
    all.sum = all.sum + tile.sum;
    all.start += tile.start;
  }
  return all;
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

bool a2q::hasPlanes(const Layer &layer, std::string &reason) {
  auto op = dyn_cast<Conv2DOp>(layer.op.getOperation());
  auto fail = [&](StringRef text) {
    reason = text.str();
    return false;
  };
  if (!op)
    return fail("not a convolution");
  if (!layer.weightCodes)
    return fail("weights are not constants");
  if (!cast<RankedTensorType>(op.getInput().getType()).hasStaticShape())
    return fail("the number of images is not known");
  ArrayRef<int64_t> strides = op.getStrides();
  if (strides[0] != strides[1] || strides[0] > 2)
    return fail("strides other than 1 and 2");
  if (layer.op.getInitialValue())
    return fail("an initial value");
  if (codeBits(layer.activations) != 8)
    return fail("activations of more than 8 bits");
  std::optional<SumCodes> codes = SumCodes::get(layer.op, reason);
  if (!codes)
    return false;
  if (codeBits(codes->getType()) != 8)
    return fail("results of more than 8 bits");
  return true;
}

/// Vectors of the target, in bytes.
static int64_t vectorBytes(Isa isa) {
  return isa >= Isa::Avx512bw ? 64 : isa == Isa::Avx2 ? 32 : 16;
}

/// Accumulators that share an index: as many as the registers hold beside what
/// a table, a mask and wider sums take.
static int64_t mostRegisters(const PlanePlan &plan, Isa isa) {
  bool many = isa >= Isa::Avx512bw;
  return plan.tiles == 1 || many ? 8 : 4;
}

/// Lists, tiles and codes in lanes of so many bits; false and the reason when
/// there are none.
static bool planLanes(PlanePlan &plan, const Layer &layer, Isa isa,
                      unsigned bits, std::string &reason) {
  plan.laneBits = bits;
  plan.channels.clear();
  plan.tiles = plan.levels = 1;
  for (int64_t c = 0; c < layer.allChannels(); ++c) {
    auto tiles = listChannel(layer, plan.input, c, bits);
    if (!tiles) {
      reason = "a single product of channel " + std::to_string(c) +
               " exceeds lanes of " + std::to_string(bits) + " bits";
      return false;
    }
    plan.channels.push_back(std::move(*tiles));
  }
  evenOut(plan);
  plan.lanes = vectorBytes(isa) * 8 / plan.laneBits;
  chooseSums(plan);
  reason.clear();
  std::optional<PlaneCodes> codes = PlaneEpilogue::choose(plan, isa, reason);
  if (!codes)
    return false;
  plan.codes = *codes;
  int64_t vectors =
      llvm::divideCeil(plan.output.height * plan.output.pitch, plan.lanes);
  int64_t blocks = llvm::divideCeil(vectors, mostRegisters(plan, isa));
  plan.registers = llvm::divideCeil(vectors, blocks);
  return true;
}

std::optional<PlanePlan> a2q::planPlanes(const Layer &layer, Isa isa,
                                         const PlaneMargins &margins,
                                         unsigned laneBits,
                                         std::string &reason) {
  if (!hasPlanes(layer, reason))
    return std::nullopt;
  auto op = cast<Conv2DOp>(layer.op.getOperation());
  PlanePlan plan;
  plan.sumCodes = *SumCodes::get(layer.op, reason);
  ArrayRef<int64_t> image =
      cast<RankedTensorType>(op.getInput().getType()).getShape();
  ArrayRef<int64_t> result = cast<RankedTensorType>(op.getType()).getShape();
  int64_t halo = zeroPoint(layer.activations);
  plan.source =
      PlaneLayout::get(image, image[2] + margins.gap, margins.reach, halo);
  plan.input = plan.source;
  if (op.getStrides()[0] == 2) {
    // A last odd row or column has the halo for its neighbour.
    if ((image[1] % 2 && margins.reach == 0) ||
        (image[2] % 2 && margins.gap == 0)) {
      reason = "odd sizes without a halo";
      return std::nullopt;
    }
    int64_t width = (image[2] + 1) / 2;
    plan.input =
        PlaneLayout::get({image[0], (image[1] + 1) / 2, width, 4 * image[3]},
                         width + margins.gap, margins.reach, halo);
  }
  int64_t pitch = plan.input.pitch;
  if (pitch < result[2] + margins.gap) {
    reason = "a result that is wider than the image";
    return std::nullopt;
  }
  plan.output = PlaneLayout::get(result, pitch, margins.reach,
                                 zeroPoint(plan.sumCodes.getType()));
  if (plan.input.size() > INT32_MAX) {
    reason = "distances beyond 32 bits";
    return std::nullopt;
  }
  SmallVector<unsigned> widths = {8, 16};
  if (laneBits)
    widths = {laneBits};
  for (unsigned bits : widths)
    if (planLanes(plan, layer, isa, bits, reason))
      return plan;
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Proof
//===----------------------------------------------------------------------===//

/// The weights that the lists of a channel stand for, by distance.
static DenseMap<int32_t, int64_t> readLists(ArrayRef<PlaneTile> tiles) {
  DenseMap<int32_t, int64_t> weights;
  for (const PlaneTile &tile : tiles) {
    int64_t factor = int64_t(1) << (tile.levels.size() - 1);
    for (const PlaneTile::Level &level : tile.levels) {
      for (int32_t distance : level.added)
        weights[distance] += factor;
      for (int32_t distance : level.subtracted)
        weights[distance] -= factor;
      factor /= 2;
    }
  }
  return weights;
}

LogicalResult a2q::provePlanes(const Layer &layer, const PlanePlan &plan) {
  for (auto [c, tiles] : llvm::enumerate(plan.channels)) {
    DenseMap<int32_t, a2q::Range> ranges;
    DenseMap<int32_t, int64_t> weights;
    for (const Term &term : collectTerms(layer, plan.input, c)) {
      ranges[term.distance] = term.range;
      weights[term.distance] = term.weight;
    }
    DenseMap<int32_t, int64_t> listed = readLists(tiles);
    for (auto [distance, weight] : listed)
      if (weights.lookup(distance) != weight)
        return layer.op->emitError()
               << "the lists of channel " << c << " do not have its weights";
    if (listed.size() != weights.size())
      return layer.op->emitError()
             << "the lists of channel " << c << " lack weights";
    for (auto [t, tile] : llvm::enumerate(tiles)) {
      Interval sum;
      for (auto [distance, weight] : readLists(tile))
        sum = sum + product(weight, ranges.lookup(distance));
      if (!signedInterval(plan.laneBits).contains(sum + tile.start))
        return layer.op->emitError()
               << "tile " << t << " of channel " << c << " reaches ["
               << toString(sum.lo) << ", " << toString(sum.hi)
               << "], the lane has " << plan.laneBits << " bits";
    }
  }
  return success();
}
