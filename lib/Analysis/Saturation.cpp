//===- Saturation.cpp - Which layers pmaddubsw saturates ------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Analysis/Saturation.h"

#include "KernelWindow.h"

#include "a2q/Analysis/Report.h"
#include "a2q/IR/A2QOps.h"
#include "a2q/IR/QuantTypes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/Support/FormatVariadic.h"

#include <numeric>

using namespace mlir;
using namespace a2q;

std::optional<ByteProducts> a2q::parseByteProducts(StringRef isa) {
  if (isa == "ssse3" || isa == "avx2" || isa == "avx512" || isa == "avx512bw")
    return ByteProducts::Pairs;
  if (isa == "avxvnni" || isa == "avx512vnni" || isa == "amx")
    return ByteProducts::Quads;
  return std::nullopt;
}

std::optional<StringRef> a2q::reasonOfSafety(ByteProducts products,
                                             bool hasUnsignedWeights) {
  if (products == ByteProducts::Quads)
    return "four products are added in 32 bits";
  if (hasUnsignedWeights)
    return "weights in u8 take kernels that widen to 16 bits";
  return std::nullopt;
}

StringRef a2q::toString(SaturationAnswer answer) {
  switch (answer) {
  case SaturationAnswer::Safe:
    return "safe";
  case SaturationAnswer::Unsafe:
    return "unsafe";
  case SaturationAnswer::Unknown:
    return "unknown";
  }
  return "";
}

static bool fitsPair(Interval sum) { return signedInterval(16).contains(sum); }

bool LayerSaturation::isSafeInAnyOrder() const {
  return !findings.empty() && fitsPair(anyPair);
}

//===----------------------------------------------------------------------===//
// Operands as the instruction takes them
//===----------------------------------------------------------------------===//

namespace {
/// Bits in memory and signedness of the integers of an operand.
struct Storage {
  unsigned bits = 0;
  bool isSigned = true;
};

/// One way to pair terms: neighbours in the order of the file, beginning anew
/// every `run` terms.
struct Pairing {
  StringRef name;
  int64_t run;
};

/// Examines one op; each step that fails leaves a reason.
class Examiner {
public:
  Examiner(AccumulatingOpInterface op, const RangeAnalysis &ranges,
           const SaturationOptions &options, LayerSaturation &result)
      : op(op), analysis(ranges), options(options), result(result) {}

  void run();

private:
  LogicalResult collectShape();
  void collectLinalgOrder(linalg::LinalgOp linalgOp);
  LogicalResult collectCodes();
  /// Success without weights: the answer is there.
  LogicalResult collectWeights();
  void answerForProducts(Storage storage);
  void collectPairings();
  void collectChannelCodes();
  void examine(const Pairing &pairing);
  void conclude();
  void findWitness(const PairingFinding &finding);
  void fillImage(SaturationWitness &witness, std::span<const int64_t> terms,
                 const TapMask &mask);

  LogicalResult unknown(const Twine &reason) {
    result.answer = SaturationAnswer::Unknown;
    result.reason = reason.str();
    return failure();
  }
  LogicalResult safe(const Twine &reason) {
    result.answer = SaturationAnswer::Safe;
    result.reason = reason.str();
    return success();
  }

  /// The ranges of the terms of a channel where the kernel lies like this.
  std::vector<a2q::Range> rangesOf(int64_t channel,
                                   const TapMask &inside) const;
  /// Kernel positions that differ in the taps that lie in the image.
  std::vector<TapMask> distinctMasks() const;
  std::span<const int64_t> weightsOf(int64_t channel) const {
    return std::span(weights).subspan(channel * length, length);
  }

  AccumulatingOpInterface op;
  const RangeAnalysis &analysis;
  const SaturationOptions &options;
  LayerSaturation &result;

  int64_t channels = 0, length = 0, groups = 1;
  bool isConvolution = false;
  int64_t inputChannels = 0; ///< per group, of a convolution
  std::optional<KernelWindow> window;
  Storage storage;
  int64_t shift = 0;
  /// u8 codes of the image itself, one range or one per group and term.
  std::vector<a2q::Range> codes;
  std::optional<int64_t> padding;
  std::vector<int64_t> weights; ///< [channels][length], s8
  std::vector<int64_t> order;   ///< of the terms in a packed row
  bool hasOrder = true;         ///< which one is known
  std::vector<Pairing> pairings;
  std::vector<TapMask> masks;
};
} // namespace

static Storage storageOf(Value value, bool isUnsigned) {
  Type element = getElementTypeOrSelf(value.getType());
  if (auto quantized = dyn_cast<quant::QuantizedType>(element))
    return {quantized.getStorageTypeIntegralWidth(), quantized.isSigned()};
  auto integer = dyn_cast<IntegerType>(element);
  return integer
             ? Storage{integer.getWidth(), !integer.isUnsigned() && !isUnsigned}
             : Storage{};
}

LogicalResult Examiner::collectShape() {
  result.op = op->getName().getStringRef();
  std::optional<int64_t> terms = op.getReductionLength();
  if (!terms || *terms <= 0)
    return unknown("its reduction length is not known");
  result.length = length = *terms;
  result.channels = channels = op.getNumChannels().value_or(0);
  groups = op.getNumGroups();
  order.resize(length);
  std::iota(order.begin(), order.end(), 0);
  inputChannels = length;
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op.getOperation())) {
    collectLinalgOrder(linalgOp);
    return success();
  }
  window = KernelWindow::of(op);
  if (!window && isa<Conv2DOp, tosa::Conv2DOp, tosa::DepthwiseConv2DOp>(op))
    return unknown("the size of its image is not known");
  isConvolution = window.has_value();
  if (window)
    inputChannels = length / window->taps();
  return success();
}

/// Linalg numbers terms by its loops, whatever their order. A convolution's are
/// brought into the order of im2col.
void Examiner::collectLinalgOrder(linalg::LinalgOp linalgOp) {
  SmallVector<unsigned> loops, wanted;
  linalgOp.getReductionDims(loops);
  SmallVector<int64_t> sizes = linalgOp.getStaticLoopRanges();
  FailureOr<linalg::ConvolutionDimensions> dims =
      linalg::inferConvolutionDims(linalgOp);
  if (failed(dims) || dims->filterLoop.empty()) {
    hasOrder = loops.size() == 1;
    return;
  }
  isConvolution = true;
  llvm::append_range(wanted, dims->filterLoop);
  llvm::append_range(wanted, dims->inputChannel);
  hasOrder = wanted.size() == loops.size();
  inputChannels = 1;
  for (unsigned dim : dims->inputChannel)
    inputChannels *= sizes[dim];
  for (int64_t at = 0; hasOrder && at < length; ++at) {
    int64_t rest = at, term = 0;
    DenseMap<unsigned, int64_t> index;
    for (unsigned dim : llvm::reverse(wanted)) {
      index[dim] = rest % sizes[dim];
      rest /= sizes[dim];
    }
    for (unsigned dim : loops)
      term = term * sizes[dim] + index.lookup(dim);
    order[at] = term;
  }
}

LogicalResult Examiner::collectCodes() {
  storage = storageOf(op.getActivations(), op.hasUnsignedActivations());
  if (storage.bits == 0)
    return unknown("its activations are no integers");
  if (storage.bits > 8)
    return unknown(llvm::formatv("its activations have {0} bits, and byte "
                                 "products take 8",
                                 storage.bits));
  result.shift = shift = storage.isSigned ? 128 : 0;
  auto observed = options.observed.find(op.getOperation());
  std::optional<ElementRanges> known =
      observed != options.observed.end()
          ? std::optional<ElementRanges>(observed->second)
          : analysis.lookup(op.getActivations(), op.hasUnsignedActivations());
  if (!known)
    return unknown("the range of its activations is not known");
  auto asByte = [&](a2q::Range range) {
    return a2q::Range{range.lo + shift, range.hi + shift};
  };
  if (known->isUniform() || op.getActivationAxis() < 0 ||
      known->axis != op.getActivationAxis()) {
    codes = {asByte(known->joined())};
  } else {
    for (int64_t group = 0; group < groups; ++group)
      for (int64_t term = 0; term < length; ++term)
        codes.push_back(
            asByte(known->ranges[op.getActivationChannel(group, term)]));
  }
  result.codes = codes.front();
  for (a2q::Range range : codes)
    result.codes = join(result.codes, range);
  if (std::optional<int64_t> code = op.getPaddingCode()) {
    padding = *code + shift;
    result.codes = join(result.codes, a2q::Range{*padding, *padding});
  }
  if (result.codes.lo < 0 || result.codes.hi > 255)
    return unknown(llvm::formatv("its activations in [{0}, {1}] are no bytes",
                                 result.codes.lo - shift,
                                 result.codes.hi - shift));
  return success();
}

/// Two activation operands: pairs of any two products, of any codes.
void Examiner::answerForProducts(Storage second) {
  if (second.bits == 0 || second.bits > 8)
    return (void)unknown("its second operand is not constant and not 8 bits "
                         "wide");
  if (!second.isSigned)
    return (void)safe(*reasonOfSafety(options.products, true));
  std::optional<ElementRanges> known =
      analysis.lookup(op.getWeights(), op.hasUnsignedWeights());
  if (!known)
    return (void)unknown("its second operand is not constant, and of unknown "
                         "range");
  Interval one = product(known->joined(), result.codes);
  Interval pair = one + one;
  if (fitsPair(pair))
    return (void)safe(llvm::formatv("two products of codes are in [{0}, {1}]",
                                    a2q::toString(pair.lo),
                                    a2q::toString(pair.hi)));
  (void)unknown(llvm::formatv("its weights are not constant, and two products "
                              "of codes can reach [{0}, {1}]",
                              a2q::toString(pair.lo), a2q::toString(pair.hi)));
}

LogicalResult Examiner::collectWeights() {
  FailureOr<SmallVector<int64_t>> differences = op.getWeightCodes();
  Storage second = storageOf(op.getWeights(), op.hasUnsignedWeights());
  if (failed(differences)) {
    answerForProducts(second);
    return success();
  }
  if (channels <= 0 ||
      static_cast<int64_t>(differences->size()) != channels * length)
    return unknown("its number of channels is not known");
  DictionaryAttr origin =
      op->getAttrOfType<DictionaryAttr>(A2QDialect::getOriginAttrName());
  if (origin ? origin.contains("unsigned_weights") : !second.isSigned)
    return safe(*reasonOfSafety(options.products, true));
  SmallVector<int64_t> zeroPoints = {op.getWeightOffset().value_or(0)};
  if (origin)
    if (auto zeros = origin.getAs<DenseI64ArrayAttr>("weight_zero_points"))
      zeroPoints.assign(zeros.asArrayRef().begin(), zeros.asArrayRef().end());
  weights.assign(differences->begin(), differences->end());
  for (auto [index, weight] : llvm::enumerate(weights)) {
    weight += zeroPoints[zeroPoints.size() == 1 ? 0 : index / length];
    if (weight < -128 || weight > 127)
      return unknown(llvm::formatv("its weight {0} is no s8", weight));
  }
  return success();
}

void Examiner::collectPairings() {
  if (!hasOrder)
    return;
  if (isConvolution) {
    pairings = {{"im2col", length}, {"channels", inputChannels}};
    return;
  }
  pairings = {{"rows", length}};
  auto origin =
      op->getAttrOfType<DictionaryAttr>(A2QDialect::getOriginAttrName());
  if (!origin || !origin.contains("image"))
    return;
  // Channel, row, column in the file; here row, column, channel.
  ArrayRef<int64_t> image =
      origin.getAs<DenseI64ArrayAttr>("image").asArrayRef();
  int64_t pixels = image[1] * image[2];
  for (int64_t at = 0; at < length; ++at)
    order[at] = at % pixels * image[0] + at / pixels;
}

void Examiner::collectChannelCodes() {
  if (!hasOrder)
    return;
  auto withPadding = [&](a2q::Range range) {
    return padding ? join(range, a2q::Range{*padding, *padding}) : range;
  };
  if (codes.size() == 1) {
    result.channelCodes = {withPadding(codes.front())};
    return;
  }
  int64_t channelsPerGroup = isConvolution ? inputChannels : length;
  for (int64_t group = 0; group < groups; ++group)
    for (int64_t channel = 0; channel < channelsPerGroup; ++channel) {
      a2q::Range all = codes[group * length + order[channel]];
      for (int64_t at = channel; at < length; at += channelsPerGroup)
        all = join(all, codes[group * length + order[at]]);
      result.channelCodes.push_back(withPadding(all));
    }
}

//===----------------------------------------------------------------------===//
// Pairs
//===----------------------------------------------------------------------===//

std::vector<a2q::Range> Examiner::rangesOf(int64_t channel,
                                           const TapMask &inside) const {
  int64_t group = channel / std::max<int64_t>(channels / groups, 1);
  std::vector<a2q::Range> terms;
  if (codes.size() == 1)
    terms = codes;
  else
    terms.assign(codes.begin() + group * length,
                 codes.begin() + (group + 1) * length);
  if (!window || inside.all())
    return terms;
  if (terms.size() == 1)
    terms.resize(length, terms.front());
  for (int64_t term = 0; term < length; ++term)
    if (!inside.contains(term / inputChannels))
      terms[term] = {*padding, *padding};
  return terms;
}

std::vector<TapMask> Examiner::distinctMasks() const {
  if (!window || !padding)
    return {TapMask()};
  std::vector<TapMask> masks = window->masks();
  // Where the whole kernel lies in the image and padding is a code like others,
  // no other position reaches more.
  bool ordinary = llvm::all_of(codes, [&](a2q::Range range) {
    return range.lo <= *padding && *padding <= range.hi;
  });
  auto whole =
      llvm::find_if(masks, [](const TapMask &mask) { return mask.all(); });
  if (ordinary && whole != masks.end())
    return {*whole};
  return masks;
}

void Examiner::examine(const Pairing &pairing) {
  std::vector<TermPair> pairs = pairNeighbours(order, pairing.run);
  PairingFinding finding;
  finding.pairing = pairing.name;
  finding.pairs = channels * static_cast<int64_t>(pairs.size());
  for (int64_t channel = 0; channel < channels; ++channel) {
    // A pair counts once, in whatever position it saturates.
    llvm::BitVector saturates(pairs.size());
    for (const TapMask &mask : masks) {
      std::vector<a2q::Range> terms = rangesOf(channel, mask);
      DotProduct dot{weightsOf(channel), terms};
      SaturationLoss loss = saturate(dot, pairs);
      if (loss.pairs == 0)
        continue;
      for (auto [index, pair] : llvm::enumerate(pairs))
        if (!fitsPair(pairInterval(dot, pair)))
          saturates.set(index);
      if (!finding.first) {
        TermPair pair = *loss.first;
        finding.first = {channel, pair, {}, {}, pairInterval(dot, pair)};
        for (auto [side, term] :
             llvm::enumerate(std::array<int64_t, 2>{pair.first, pair.second}))
          if (term >= 0) {
            finding.first->weights[side] = dot.weights[term];
            finding.first->codes[side] = dot.range(term);
          }
      }
      if (loss.worst() > finding.worst.worst()) {
        finding.worst = loss;
        finding.worstChannel = channel;
      }
    }
    finding.saturatingPairs += saturates.count();
    finding.saturatingChannels += saturates.any();
  }
  result.findings.push_back(std::move(finding));
}

/// The answer follows from the findings; the witness from the worst of them.
void Examiner::conclude() {
  bool first = true;
  for (int64_t channel = 0; channel < channels; ++channel)
    for (const TapMask &mask : masks) {
      std::vector<a2q::Range> terms = rangesOf(channel, mask);
      Interval sum = anyPairInterval({weightsOf(channel), terms});
      result.anyPair = first ? sum : join(result.anyPair, sum);
      first = false;
    }
  if (!hasOrder) {
    if (fitsPair(result.anyPair))
      (void)safe("no two products leave 16 bits");
    else
      (void)unknown("the order of its terms is not one of a convolution or a "
                    "matrix product");
    return;
  }
  const PairingFinding *worst = nullptr;
  for (const PairingFinding &finding : result.findings)
    if (!finding.isSafe() &&
        (!worst || finding.worst.worst() > worst->worst.worst()))
      worst = &finding;
  result.answer = worst ? SaturationAnswer::Unsafe : SaturationAnswer::Safe;
  if (worst)
    findWitness(*worst);
  bool odd = llvm::any_of(weights, [](int64_t weight) { return weight & 1; });
  if (isConvolution && storage.isSigned && odd && channels > 0)
    result.notes.push_back("oneDNN's convolutions halve the weights for signed "
                           "activations, and round odd ones");
}

void Examiner::findWitness(const PairingFinding &finding) {
  SaturationWitness witness;
  witness.pairing = finding.pairing;
  witness.channel = finding.worstChannel;
  witness.isSigned = storage.isSigned;
  // The position where the worst channel loses the most.
  int64_t run = 0;
  for (const Pairing &pairing : pairings)
    if (pairing.name == finding.pairing)
      run = pairing.run;
  std::vector<TermPair> pairs = pairNeighbours(order, run);
  TapMask best;
  std::vector<int64_t> terms;
  for (const TapMask &mask : masks) {
    std::vector<a2q::Range> ranges = rangesOf(witness.channel, mask);
    DotProduct dot{weightsOf(witness.channel), ranges};
    SaturationLoss loss = saturate(dot, pairs);
    if (loss.worst() <= (witness.loss < 0 ? -witness.loss : witness.loss) &&
        !terms.empty())
      continue;
    bool above = loss.loss.hi > -loss.loss.lo;
    witness.loss = above ? loss.loss.hi : loss.loss.lo;
    terms = above ? upperWitness(dot) : lowerWitness(dot);
    best = mask;
  }
  for (int64_t &code : terms)
    code -= shift;
  if (!window) {
    witness.shape = {1, length};
    for (int64_t term : order)
      witness.codes.push_back(terms[term]);
    result.witness = std::move(witness);
    return;
  }
  fillImage(witness, terms, best);
  result.witness = std::move(witness);
}

/// An image with these terms below the kernel where it lies like `mask`.
void Examiner::fillImage(SaturationWitness &witness,
                         std::span<const int64_t> terms, const TapMask &mask) {
  int64_t group = witness.channel / std::max<int64_t>(channels / groups, 1);
  int64_t depth = inputChannels * groups;
  // All else is what means 0, or the code next to it.
  int64_t zero = op.getPaddingCode().value_or(0);
  auto fill = [&](int64_t channel) {
    a2q::Range range =
        codes.size() == 1
            ? codes.front()
            : codes[channel / inputChannels * length + channel % inputChannels];
    return std::clamp(zero, range.lo - shift, range.hi - shift);
  };
  auto place = window->find(mask);
  witness.position = {place[0], place[1]};
  witness.shape = {1, window->height, window->width, depth};
  if (options.channelsFirst)
    witness.shape = {1, depth, window->height, window->width};
  witness.codes.resize(depth * window->height * window->width);
  auto at = [&](int64_t row, int64_t column, int64_t channel) -> int64_t & {
    return witness
        .codes[options.channelsFirst
                   ? (channel * window->height + row) * window->width + column
                   : (row * window->width + column) * depth + channel];
  };
  for (int64_t row = 0; row < window->height; ++row)
    for (int64_t column = 0; column < window->width; ++column)
      for (int64_t channel = 0; channel < depth; ++channel)
        at(row, column, channel) = fill(channel);
  for (int64_t tap = 0; tap < window->taps(); ++tap) {
    auto [row, column] = window->pixel(place, tap);
    if (row < 0 || row >= window->height || column < 0 ||
        column >= window->width)
      continue;
    for (int64_t channel = 0; channel < inputChannels; ++channel)
      at(row, column, group * inputChannels + channel) =
          terms[tap * inputChannels + channel];
  }
}

void Examiner::run() {
  if (failed(collectShape()))
    return;
  if (auto reason = reasonOfSafety(options.products, false)) {
    (void)safe(*reason);
    return;
  }
  if (failed(collectCodes()) || failed(collectWeights()) || weights.empty())
    return;
  collectPairings();
  collectChannelCodes();
  masks = distinctMasks();
  for (const Pairing &pairing : pairings)
    examine(pairing);
  conclude();
}

std::vector<LayerSaturation>
a2q::checkSaturation(Operation *root, const SaturationOptions &options) {
  RangeAnalysis ranges(root);
  std::vector<LayerSaturation> layers;
  root->walk<WalkOrder::PreOrder>([&](AccumulatingOpInterface op) {
    if (!op.isAccumulating())
      return;
    LayerSaturation layer;
    layer.name = layerName(op, static_cast<int64_t>(layers.size()));
    Examiner(op, ranges, options, layer).run();
    layers.push_back(std::move(layer));
  });
  return layers;
}
