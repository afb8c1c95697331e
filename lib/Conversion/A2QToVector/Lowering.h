//===- Lowering.h - Parts of the lowering of accumulating ops ---*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One path from an accumulating op to loops over vectors, in four parts:
//
//   plan      which kernel form, what each step of its reduction loop takes,
//             and where each stage lives                          (Plan.cpp)
//   gather    activations where they lie, or as [positions][groups][K'] in
//             the order in which the kernel reads them            (Gather.cpp)
//             or tables of their sums                            (LookUps.cpp)
//   pack      weights in the order in which the kernel reads them   (Pack.cpp)
//   kernel    loops over channel blocks, positions, tiles of each stage and
//             steps; `a2q.mac` in the middle                      (Kernel.cpp)
//   epilogue  sums to codes or to plain integers, in registers (Epilogue.cpp)
//
// A *step* takes `chunk` products of each output channel. K' is K padded to
// whole steps; the padding has weight 0, so it may read any activation. A
// *vector* holds the products of `block` channels, and `positions` x `vectors`
// accumulators share the loads of a step.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_CONVERSION_A2QTOVECTOR_LOWERING_H
#define A2Q_LIB_CONVERSION_A2QTOVECTOR_LOWERING_H

#include "a2q/Analysis/Ranges.h"
#include "a2q/IR/A2QOps.h"
#include "a2q/IR/QuantTypes.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Builders.h"
#include "llvm/Support/MathExtras.h"

#include <functional>
#include <memory>
#include <optional>

namespace a2q {

//===----------------------------------------------------------------------===//
// Layer and plan
//===----------------------------------------------------------------------===//

/// What the kernels need to know of one accumulating op.
struct Layer {
  /// A handle; its accessors are not const.
  mutable AccumulatingOpInterface op;
  /// Groups of a convolution. The batch of a product of two activations is
  /// walked as groups too, then `batched` is set and `groups` is 1: all share
  /// the per-channel constants.
  int64_t groups = 1;
  bool batched = false;
  int64_t channels = 0; ///< of one group
  int64_t length = 0;   ///< K
  mlir::quant::QuantizedType activations, weights;
  AccumulatorType type;
  Schedule schedule;
  /// Row-major [groups * channels][K] in default order; absent: not constant.
  std::optional<llvm::SmallVector<int64_t>> weightCodes;
  /// Proven ranges of the activation codes, in default order: 1, K, or
  /// groups * K of them.
  std::vector<Range> ranges;
  /// What is known of them together, in default order; constant weights only,
  /// and may be null.
  std::shared_ptr<const InputFact> fact;
  /// Value that the outermost accumulator of each channel can begin with.
  std::vector<Range> initial;

  int64_t allChannels() const { return groups * channels; }
  /// Whether the bytes (words) of codes are to be read as unsigned.
  bool activationsUnsigned() const;
  bool weightsUnsigned() const;
  /// The range that holds the codes of all terms.
  Range joinedRange() const;
  /// The dot products in the order of the schedule; constant weights only.
  AccumulationProblem problem() const;
  /// Interval of the sums of a channel, from codes and from the type.
  Interval sums(int64_t channel) const;
};

/// Collects a layer; a diagnostic on failure.
mlir::FailureOr<Layer> collectLayer(AccumulatingOpInterface op,
                                    const RangeAnalysis &ranges);

/// The instruction in the middle of the kernel.
enum class KernelForm {
  Portable,  ///< one product per step and lane, accumulators of any width
  Pmaddubsw, ///< u8 x s8 pairs into 16-bit lanes, two lanes per output
  Pmaddwd,   ///< 16-bit pairs into 32-bit lanes
  Vpdpbusd,  ///< u8 x s8 quadruples into 32-bit lanes
  LookUps    ///< sums of several codes from tables, into 8-bit lanes
};
llvm::StringRef stringify(KernelForm form);

/// What the target offers; each has all that the ones before it have.
enum class Isa { Portable, Avx2, Avx512bw, Avx512vnni, Avx512vbmi };
std::optional<Isa> parseIsa(llvm::StringRef name);

/// How look-ups read the codes and the weights; see LookUps.cpp.
struct LookUps {
  /// A weight is the sum of those digits whose bits are set; with one digit,
  /// 1 where the bit is set and -1 where not.
  llvm::SmallVector<int64_t, 2> digits;
  int64_t codes = 4;  ///< whose sums a table holds: 4 or 6
  int64_t tables = 2; ///< that a step reads: 2 or 1
  int64_t width = 0;  ///< codes of a pixel, or of a row of a matrix
  /// Bytes of all tables of such a pixel.
  int64_t pixel = 0;

  bool bothSigns() const { return digits.size() == 1; }
  int64_t entries() const { return int64_t(1) << codes; }
  int64_t stepBytes() const { return tables * entries(); }
  /// Codes of a pixel for which tables are made, padding included: as many
  /// tables of 64 entries at once as one of 8 entries for each half fill.
  int64_t paddedWidth() const {
    return llvm::alignTo(width, codes == 6 ? 24 : codes * tables);
  }
};

struct Plan {
  KernelForm form = KernelForm::Portable;
  int64_t chunk = 1;      ///< products of one output in a step
  int64_t block = 16;     ///< output channels in a vector
  int64_t vectors = 1;    ///< vectors that share a load of activations
  int64_t positions = 4;  ///< positions that share a load of the weights
  int64_t unroll = 1;     ///< steps in a trip of the innermost loop
  bool depthwise = false; ///< one channel per lane; see Depthwise.cpp
  bool check = false;     ///< compare every accumulator with its promise
  /// Bits of the machine integer of each stage.
  llvm::SmallVector<unsigned> stageBits;
  /// Tiles, lanes and starts as the kernel has them.
  Schedule schedule;
  /// Default-order term read at each place of K', or -1 for padding.
  llvm::SmallVector<int64_t> terms;
  /// bounds[0][t]: first step of innermost tile t; bounds[s][t]: first tile of
  /// stage s - 1 in tile t of stage s. One entry more than tiles.
  llvm::SmallVector<llvm::SmallVector<int64_t>> bounds;
  /// Where the codes of each step (depthwise: of each term) begin, behind those
  /// of the position, in the image as it lies in memory; empty: the activations
  /// are gathered. Look-ups: where their tables begin, in bytes.
  llvm::SmallVector<int64_t> offsets;
  std::optional<LookUps> lookUps; ///< of that form

  int64_t channelsInBlock() const { return block * vectors; }
  int64_t steps() const { return terms.size() / chunk; }
  int64_t lanes() const { return schedule.stages.front().lanes; }
  /// Bits of each weight that have a lane of their own.
  int64_t digits() const { return lookUps ? lookUps->digits.size() : 1; }
  /// From one step to the next one in memory.
  int64_t stepStride() const { return lookUps ? lookUps->stepBytes() : chunk; }
};

/// Fills `terms` and `bounds` for the order and the tiles of the schedule.
void layOutSteps(Plan &plan, const Schedule &schedule);

/// The smallest of 8, 16, 32, 64 bits that holds `width`.
unsigned machineBits(unsigned width);

/// The dot products with their terms in the places of K'.
AccumulationProblem inPlaces(const Layer &layer, const Plan &plan);
/// Whether what the kernel accumulates fits its registers; wrapping adds.
bool proveRegisters(const AccumulationProblem &problem, const Plan &plan,
                    std::string &reason);

/// A form of x86 for the layer, or null and the reason why the layer cannot
/// have it.
std::optional<Plan> planX86(const Layer &layer, Isa isa, KernelForm form,
                            std::string &reason);

/// Whether every group has one channel and one input channel.
bool isDepthwise(const Layer &layer);
/// Fills `terms` and `offsets` for pairs of taps.
void layOutTaps(const Layer &layer, Plan &plan);
/// The same as `planX86` for such a layer.
std::optional<Plan> planDepthwise(const Layer &layer, Isa isa, KernelForm form,
                                  std::string &reason);

/// Which digits add up to the weight, as bits; digits as in LookUps.
unsigned bitsOfWeight(llvm::ArrayRef<int64_t> digits, int64_t weight);
/// The same with look-ups in tables of 16 or 64 entries; no reason where
/// weights have more bits than any look-up takes.
std::optional<Plan> planLookUps(const Layer &layer, Isa isa, int64_t entries,
                                std::string &reason);

/// The best other dense form for the layer, and why those before it, which a
/// proof does not license, are passed over.
Plan planLayer(const Layer &layer, Isa isa, bool check,
               std::string &passedOver);

/// The form and what shares its loads.
std::string describe(const Plan &plan);

//===----------------------------------------------------------------------===//
// Data
//===----------------------------------------------------------------------===//

/// Bits of the machine integer that holds a code: 8, 16 or 32.
unsigned codeBits(mlir::quant::QuantizedType type);

/// The codes of a quantized tensor as machine integers, and back.
mlir::Value toCodes(mlir::OpBuilder &builder, mlir::Value quantized);
mlir::Value fromCodes(mlir::OpBuilder &builder, mlir::Value codes,
                      mlir::Type quantized);

/// Terms of a position that are neighbours in memory.
struct Run {
  int64_t term;   ///< the first one, in default order
  int64_t offset; ///< of its code behind the first code of the position
  int64_t length;
};
/// All terms of a position, run by run.
llvm::SmallVector<Run> runsOfTerms(const Layer &layer);
/// How many positions a group (the batch) has, if that is known.
std::optional<int64_t> countPositions(const Layer &layer);

/// The codes that a kernel reads.
struct Activations {
  /// Gathered: [positions][groups][K'] ([batch][positions][K'] if batched).
  /// In place: [elements].
  mlir::Value codes;
  mlir::OpFoldResult positions; ///< how many there are
  mlir::OpFoldResult outer;     ///< groups, or the batch
  /// In place: where the codes of a position and group begin.
  std::function<mlir::Value(mlir::Value position, mlir::Value outer)> origin;
};
Activations gatherActivations(mlir::OpBuilder &builder, const Layer &layer,
                              const Plan &plan);
/// The tables of codes, [elements], whose last dimension was padded to whole
/// steps.
mlir::Value emitTables(mlir::OpBuilder &builder, mlir::Location loc,
                       mlir::Value codes, const Plan &plan);

/// Weights as [groups][blocks][steps][vectors][block * chunk], without the
/// fourth dimension where it is 1; product j of channel c of a vector at
/// `placeInStep`. The last block may have fewer vectors.
struct PackedWeights {
  mlir::Value whole; ///< null if there is no whole block
  mlir::Value rest;  ///< the last block if it has fewer vectors, else null
};
PackedWeights packWeights(mlir::OpBuilder &builder, const Layer &layer,
                          const Plan &plan);
/// Where a step's vector of weights holds product j of channel c.
int64_t placeInStep(const Plan &plan, int64_t channel, int64_t product);

//===----------------------------------------------------------------------===//
// Epilogue
//===----------------------------------------------------------------------===//

/// Gives per-channel constants (one element, or one per channel) the shape of
/// the sums that they meet: a vector in a kernel, a scalar elsewhere.
using ChannelConstants = std::function<mlir::Value(
    llvm::ArrayRef<mlir::Attribute> values, mlir::Type elementType)>;

/// From the outermost accumulator to what the consumer wants. `prepare` creates
/// the constants, once; `apply` the arithmetic, per vector of sums.
class Epilogue {
public:
  /// `consumer` is a2q.requantize or a2q.decode.
  static mlir::FailureOr<Epilogue> get(const Layer &layer, const Plan &plan,
                                       mlir::Operation *consumer);
  /// Plain sums of `bits` bits, for consumers that are not fused.
  static mlir::FailureOr<Epilogue> getPlain(const Layer &layer,
                                            const Plan &plan);
  /// For sums that are materialized already as integers.
  static mlir::FailureOr<Epilogue> getUnfused(mlir::Operation *consumer,
                                              llvm::ArrayRef<Interval> sums);

  /// Element type of what `apply` returns.
  mlir::Type getResultElementType() const { return resultType; }
  void prepare(mlir::OpBuilder &builder, mlir::Location loc,
               const ChannelConstants &constants);
  mlir::Value apply(mlir::OpBuilder &builder, mlir::Location loc,
                    mlir::Value accumulator) const;

private:
  mlir::LogicalResult init(mlir::Operation *consumer,
                           llvm::ArrayRef<Interval> sums,
                           llvm::ArrayRef<Wide> startSums, mlir::Location loc);
  mlir::Value requantizeFloat(mlir::OpBuilder &builder, mlir::Location loc,
                              mlir::Value sum) const;
  mlir::Value requantizeFixed(mlir::OpBuilder &builder, mlir::Location loc,
                              mlir::Value sum) const;

  mutable RequantizeOp requantize; ///< null: plain integers
  mlir::IntegerType sumType;
  mlir::IntegerType resultType;
  llvm::SmallVector<int64_t> offsets; ///< bias - starts, per channel
  bool hasOffsets = false;
  mlir::Value offset, multiplier, shift, half, mask, adjust, nudge;
};

/// The sums as plain integers: the element type that holds them all.
mlir::IntegerType plainSumType(const Layer &layer);

//===----------------------------------------------------------------------===//
// Kernel
//===----------------------------------------------------------------------===//

/// Emits the loops, which write [positions][groups][channels] (batched: [batch]
/// [positions][channels]) of the epilogue's element type to `out`.
mlir::Value emitKernel(mlir::OpBuilder &builder, const Layer &layer,
                       const Plan &plan, const Activations &activations,
                       const PackedWeights &weights, const Epilogue &epilogue,
                       mlir::Value out);

/// The same for a plan that is `depthwise`: [positions][1][groups].
mlir::Value emitDepthwise(mlir::OpBuilder &builder, const Layer &layer,
                          const Plan &plan, const Activations &activations,
                          const Epilogue &epilogue, mlir::Value out);

/// Emits, when one of `violations` (i1 scalar or vector) is set, the call that
/// reports the first one.
struct CheckSite {
  mlir::Value channel; ///< index of the vector's first channel
  int64_t stage = 0;
  Interval promise;
};
void emitCheck(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value values,
               const CheckSite &site);
/// Checks arguments that carry `a2q.range` on entry to the function.
mlir::LogicalResult emitArgumentChecks(mlir::Operation *function);

} // namespace a2q

#endif // A2Q_LIB_CONVERSION_A2QTOVECTOR_LOWERING_H
