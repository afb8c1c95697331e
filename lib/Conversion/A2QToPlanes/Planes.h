//===- Planes.h - Layers of sparse weights as lists of adds -----*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A convolution whose weights are mostly zero needs no multiplication: an
// output is a start, plus some activations, minus some others. Which ones
// depends on the output channel alone, so the *positions* of a channel lie in
// the lanes of a vector, and a weight of 1 or -1 is one addition or subtraction
// of a vector that is loaded from where the activation's channel lies. Nothing
// is widened: a lane has 8 bits where the proof allows it, and then a vector of
// 64 bytes adds 64 products at once.
//
// The plane
//
// One plane per channel, flat: rows of `pitch` positions, of which the first
// `width` are the image and the rest, its *halo*, hold the code of the padding.
// The halo behind a row is the halo before the next one. Above the first row
// and below the last one are halo rows; the one below is the one above the next
// plane. A tap of the filter is then one distance in memory, the same for all
// positions, across the ends of rows as well:
//
//     3x3 filter, 4x3 image, pitch 5           distance of a tap
//
//         h h h h h h        lead                -6 -5 -4
//       * * * * h                                -1  0  1
//       * * * * h            rows                 4  5  6
//       * * * * h
//       h h h h h h          lead of the next plane
//
// Positions are computed in the halo too, from whatever is there; what is
// stored is the code of the padding. So the result is a plane that the next
// layer reads as it is, and no layer packs anything.
//
// With strides of 2 a plane is split into four: even and odd columns of even
// and odd rows. A tap then meets one of them, in which neighbours are
// neighbours.
//
// The lists
//
// A weight is written in signed digits, w = sum of d_l * 2^l with d_l of -1, 0,
// 1 and no two neighbours that are not zero: 3 = 4 - 1, 7 = 8 - 1. A *level* is
// the list of terms that have a digit there, highest first; between two levels
// the accumulator is doubled. Unit weights have one level.
//
// The proof
//
// All additions wrap. Modulo 2^bits nothing is lost, whatever the order, the
// doublings and the starts: only the value that a lane hands over must fit.
// Each channel cuts its terms into *tiles* whose sums span less than 2^bits;
// the sum of a tile plus its centred start is then the lane's value as a signed
// integer. The tiles of one channel are its own: no two channels share a lane.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_CONVERSION_A2QTOPLANES_PLANES_H
#define A2Q_LIB_CONVERSION_A2QTOPLANES_PLANES_H

#include "SumCodes.h"

namespace a2q {

//===----------------------------------------------------------------------===//
// Layout
//===----------------------------------------------------------------------===//

/// Where the codes of an image lie: image n, channel c, row y, column x at
/// (n * channels + c) * plane + lead + y * pitch + x.
struct PlaneLayout {
  int64_t images = 1, channels = 0, height = 0, width = 0;
  int64_t pitch = 0; ///< from a row to the next
  int64_t lead = 0;  ///< before the first row
  int64_t plane = 0; ///< from a plane to the next
  int64_t halo = 0;  ///< code outside of the image
  int64_t unit = 64; ///< of what `lead` and `plane` are multiples

  /// For filters that reach `reach` pixels beyond each side of the image.
  static PlaneLayout get(llvm::ArrayRef<int64_t> imageShape, int64_t pitch,
                         int64_t reach, int64_t halo);

  int64_t planes() const { return images * channels; }
  /// Elements of the buffer.
  int64_t size() const;
  /// Positions of a plane, with the halo behind each row, in whole cache lines.
  int64_t positions() const;
  /// The first row of a plane.
  int64_t first(int64_t plane) const { return plane * this->plane + lead; }
  bool operator==(const PlaneLayout &) const = default;
  /// The same for codes of another zero point.
  PlaneLayout withHalo(int64_t code) const {
    PlaneLayout other = *this;
    other.halo = code;
    return other;
  }
};

/// Codes in planes, as a tensor<size x i8>.
struct PlaneValue {
  mlir::Value codes;
  PlaneLayout layout;
};

//===----------------------------------------------------------------------===//
// Plan
//===----------------------------------------------------------------------===//

/// What is added into one lane between two widenings.
struct PlaneTile {
  /// Distances from a position to the activation of each term: [level][sign].
  struct Level {
    llvm::SmallVector<int32_t> added, subtracted;
  };
  llvm::SmallVector<Level> levels; ///< highest first
  Interval sum;                    ///< without start
  int64_t start = 0;
};

/// How the sums become codes.
enum class PlaneCodes {
  Arithmetic, ///< the definition, in wider vectors
  Count,      ///< how many thresholds the sum reaches
  Search,     ///< the same, in as many steps as the code has bits
  Table       ///< looked up by the bits of the lane
};

struct PlanePlan {
  unsigned laneBits = 8;
  int64_t lanes = 32;    ///< positions in a vector
  int64_t registers = 8; ///< vectors of positions that share a list
  SumCodes sumCodes;
  PlaneCodes codes = PlaneCodes::Arithmetic;
  PlaneLayout source; ///< what the layer reads
  /// Where its distances lead: the source, or with strides of 2 its phases.
  PlaneLayout input;
  PlaneLayout output;
  /// [channel][tile], of all groups; every channel has as many tiles and each
  /// tile as many levels as the longest.
  std::vector<llvm::SmallVector<PlaneTile>> channels;
  int64_t tiles = 1, levels = 1;
  /// Bits of the integers in which tiles are summed.
  unsigned sumBits = 8;
  double terms = 0; ///< additions per channel, on average

  /// Vectors that hold the sums of the lanes of one: every second lane, or
  /// every fourth.
  int64_t pieces() const { return sumBits / laneBits; }
  /// All tiles of a channel as one.
  PlaneTile total(int64_t channel) const;
};

/// Whether the layer is one that planes know how to walk, or the reason why
/// not.
bool hasPlanes(const Layer &layer, std::string &reason);

/// The widest reach beyond an image and the widest halo behind a row that the
/// layers of a module ask for: all their planes have them, so that one layer
/// writes what the next one reads.
struct PlaneMargins {
  int64_t reach = 0, gap = 0;
  void include(const Layer &layer);
};

/// Lists, tiles and lanes for the layer, or null and the reason why it cannot
/// have them. `laneBits` of 0 leaves the choice.
std::optional<PlanePlan> planPlanes(const Layer &layer, Isa isa,
                                    const PlaneMargins &margins,
                                    unsigned laneBits, std::string &reason);

/// Proves again that the lists are the layer's weights and that each tile fits
/// its lanes.
mlir::LogicalResult provePlanes(const Layer &layer, const PlanePlan &plan);

/// Nanoseconds on the machine of docs/performance.md: of the layer, and of a
/// conversion between planes and [n, h, w, c].
double estimatePlanes(const PlanePlan &plan, Isa isa);
double estimateBorder(const PlaneLayout &layout, Isa isa);

//===----------------------------------------------------------------------===//
// Code
//===----------------------------------------------------------------------===//

/// [n, h, w, c] to planes and back.
mlir::Value toPlanes(mlir::OpBuilder &b, mlir::Location loc, mlir::Value image,
                     const PlaneLayout &layout);
mlir::Value fromPlanes(mlir::OpBuilder &b, mlir::Location loc,
                       mlir::Value planes, const PlaneLayout &layout);

/// The four phases of each plane: even and odd columns of even rows, then of
/// odd rows. Planes that a filter with strides of 2 walks pixel by pixel.
mlir::Value toPhases(mlir::OpBuilder &b, mlir::Location loc, mlir::Value planes,
                     const PlaneLayout &source, const PlaneLayout &phases);

/// Fills the halo of a new buffer that `emitPlaneKernel` does not write.
mlir::Value emitHalo(mlir::OpBuilder &b, mlir::Location loc, mlir::Value planes,
                     const PlaneLayout &layout);

/// The codes that others are computed from element by element, in reals, if the
/// zero point comes out where all of them have theirs; else none.
llvm::SmallVector<mlir::Value> elementwiseLeaves(mlir::Value codes);

/// What an operation on reals, element by element, makes of its operands.
std::optional<float> evaluateReal(mlir::Operation *op, float lhs, float rhs);

/// The code of an element, from the code of each leaf.
int64_t evaluateElement(QuantizeOp codes, llvm::ArrayRef<int64_t> leaves);

/// Computes them again from planes of the leaves, a flat tensor of `size`
/// codes.
mlir::Value rebuildOnPlanes(mlir::OpBuilder &b, mlir::Value codes,
                            llvm::ArrayRef<mlir::Value> leaves,
                            llvm::ArrayRef<mlir::Value> planes, int64_t size);

/// The codes of sums in lanes of a plan.
class PlaneEpilogue {
public:
  PlaneEpilogue(const PlanePlan &plan, const Epilogue &arithmetic)
      : plan(plan), arithmetic(arithmetic) {}

  /// Constants of a channel, which may depend on its number.
  void prepare(mlir::OpBuilder &b, mlir::Location loc, mlir::Value channel);
  /// A vector of i8 codes from the pieces of its sums; the code of the halo
  /// where `inside` is 0. Elsewhere `inside` is `insideMark()`.
  mlir::Value apply(mlir::OpBuilder &b, mlir::Location loc,
                    mlir::ValueRange sums, mlir::Value inside) const;
  int8_t insideMark() const;

  /// The form for the layer, or null and the reason why there is none.
  static std::optional<PlaneCodes> choose(const PlanePlan &plan, Isa isa,
                                          std::string &reason);

private:
  /// Whether `inside` masks what a search leaves above the code.
  bool masksSearch() const;
  /// Bytes, or integers as wide as the sums whose low bytes they are.
  mlir::Value codesOf(mlir::OpBuilder &b, mlir::Location loc,
                      mlir::Value sums) const;
  mlir::Value join(mlir::OpBuilder &b, mlir::Location loc,
                   mlir::ValueRange pieces) const;
  mlir::Value search(mlir::OpBuilder &b, mlir::Location loc,
                     mlir::Value lanes) const;
  mlir::Value lookUp(mlir::OpBuilder &b, mlir::Location loc,
                     mlir::Value lanes) const;

  const PlanePlan &plan;
  Epilogue arithmetic;
  llvm::SmallVector<mlir::Value> constants;
};

/// Emits the layer from planes to planes.
mlir::FailureOr<mlir::Value> emitPlanes(mlir::OpBuilder &b, const Layer &layer,
                                        const PlanePlan &plan,
                                        mlir::Value input);

} // namespace a2q

#endif // A2Q_LIB_CONVERSION_A2QTOPLANES_PLANES_H
