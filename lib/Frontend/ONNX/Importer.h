//===- Importer.h - From ONNX nodes to operations -*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The importer walks the sorted nodes once. What a node defines is a `Known`:
// codes, codes with their quantization, the sums of an accumulating layer, real
// numbers, or a constant. Nothing is emitted before it is needed in that form,
// so a DequantizeLinear whose only readers are convolutions leaves no trace,
// and a QuantizeLinear meets the sums themselves and becomes a requantization.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_FRONTEND_ONNX_IMPORTER_H
#define A2Q_LIB_FRONTEND_ONNX_IMPORTER_H

#include "Fold.h"
#include "Graph.h"

#include "a2q/Frontend/ONNX/Import.h"
#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace a2q::frontend {

/// One tensor in the layouts in which it exists so far. Integers may be held as
/// codes of a quantized type or as plain storage.
struct Layouts {
  mlir::Value plain;        ///< as ONNX has it
  mlir::Value channelsLast; ///< rank 3 or more, [N, ..., C]
  /// Rank 2 only: [N, H*W*C], flattened from `flattenedFrom` = {C, H, W}.
  mlir::Value flattened;
  llvm::SmallVector<int64_t, 3> flattenedFrom;
};

enum class Layout { Plain, ChannelsLast, Flattened };

inline mlir::RankedTensorType typeOf(mlir::Value value) {
  return mlir::cast<mlir::RankedTensorType>(value.getType());
}

/// The permutation that brings dimension 1 to the end, its inverse, and where
/// it brings a dimension.
llvm::SmallVector<int64_t> channelsToLast(int64_t rank);
llvm::SmallVector<int64_t> channelsFromLast(int64_t rank);
int64_t dimensionIn(Layout layout, int64_t dim, int64_t rank);

/// Integer type of codes and the part of it that they can take.
struct CodeFormat {
  ElementType type = ElementType::UInt8;
  Range range;
  bool isSigned() const { return integerFormat(type)->isSigned; }
  /// Bits in memory: 4-bit codes are stored in bytes.
  unsigned storageBits() const {
    return std::max(8u, integerFormat(type)->bits);
  }
};

struct Quantization {
  llvm::SmallVector<float> scales; ///< one, or one per index of `axis`
  llvm::SmallVector<int64_t> zeroPoints;
  int64_t axis = 0;
  bool isPerTensor() const { return scales.size() == 1; }
};

/// Channels of a convolution that are neighbouring pixels of a larger image:
/// [group][row][column][channel of the group], row and column less than the
/// strides. ConvTranspose.cpp
struct Phases {
  int64_t groups = 1, channels = 1; ///< channels of each group in the image
  llvm::SmallVector<int64_t> strides = {1, 1};
  /// The part of the larger image that is the result.
  llvm::SmallVector<int64_t> start = {0, 0}, size;

  int64_t each() const { return strides[0] * strides[1] * channels; }
  /// The channel of the image that one of the convolution's belongs to, and
  /// the first of the convolution's that does.
  int64_t channelOf(int64_t index) const {
    return index / each() * channels + index % channels;
  }
  int64_t firstOf(int64_t channel) const {
    return channel / channels * each() + channel % channels;
  }
};

/// Sums, channels last (an image or rows), times `scales` per channel:
/// real = max(lo, min(hi, float32(sum + bias) * scale + realBias)).
struct Sums {
  mlir::Value value;                 ///< of accumulator type
  bool isImage = false;              ///< [N, H, W, C]
  unsigned width = 0;                ///< bits that the sums can need
  llvm::SmallVector<float> scales;   ///< one or one per channel
  llvm::SmallVector<int64_t> bias;   ///< none or one per channel
  llvm::SmallVector<float> realBias; ///< none or one per channel
  std::optional<float> lo, hi;
  std::optional<Phases> phases;

  int64_t channels() const {
    auto count = static_cast<int64_t>(bias.size());
    return phases ? phases->groups * phases->channels : count;
  }
  int64_t channelOf(int64_t index) const {
    return phases ? phases->channelOf(index) : index;
  }
  float scaleOf(int64_t channel) const {
    if (scales.size() == 1)
      return scales.front();
    return scales[phases ? phases->firstOf(channel) : channel];
  }
};

/// Codes of a constant with a scale and zero point for each block along an
/// axis.
struct Blocks {
  Tensor codes;
  int64_t axis = 0, size = 1;
  llvm::SmallVector<int64_t> shape; ///< of the scales
  std::vector<float> scales;
  Integers zeroPoints; ///< none: all are 0

  /// Which block an element is of.
  size_t blockOf(size_t index) const;
  /// (code - zero point) * scale, in float32.
  Tensor reals() const;
};

/// What is known of an ONNX value.
struct Known {
  enum Kind { Constant, Codes, Dequantized, Accumulated, Real } kind;
  llvm::SmallVector<int64_t> shape; ///< as ONNX has it
  Layouts layouts;                  ///< Codes, Dequantized, Real
  /// Constants, and Dequantized ones (the integers).
  std::shared_ptr<const Tensor> constant;
  /// Dequantized constants of this kind are read by `blocksOf` alone; whoever
  /// else looks them up finds real numbers.
  std::shared_ptr<const Blocks> blocks;
  CodeFormat format;           ///< Codes, Dequantized
  Quantization quantization;   ///< Dequantized
  Sums sums;                   ///< Accumulated
  std::shared_ptr<Known> real; ///< the value as real numbers, once emitted
  mlir::LocationAttr loc;      ///< of the node that defines it

  Known(Kind kind, llvm::ArrayRef<int64_t> shape) : kind(kind), shape(shape) {}
  bool isConstant() const { return constant || blocks; }
  /// Constant and real numbers: FLOAT, or a DequantizeLinear of integers.
  bool isRealConstant() const {
    return isConstant() && (kind == Dequantized || constant->isFloat());
  }
};

/// A window that moves over an image, one entry per image dimension.
struct Window {
  llvm::SmallVector<int64_t> kernel, strides, dilations, before, after, out;
  /// The part of `after` that is there only because sizes are rounded up.
  llvm::SmallVector<int64_t> beyond = {0, 0};
  llvm::SmallVector<int64_t> padding() const {
    return {before[0], before[1], after[0], after[1]};
  }
  /// TOSA's order: top, bottom, left, right.
  llvm::SmallVector<int64_t> tosaPadding() const {
    return {before[0], after[0], before[1], after[1]};
  }
  bool hasPadding() const;
  bool isDilated() const;
};

/// How one axis becomes another size.
struct Resampling {
  int64_t from = 1, to = 1;
  float scale = 1;
  /// The part of it that tf_crop_and_resize takes.
  float begin = 0, end = 1;
  bool isIdentity() const { return scale == 1 && from == to; }
};

class Importer {
public:
  Importer(Graph &graph, const ImportOptions &options,
           mlir::MLIRContext *context);

  mlir::OwningOpRef<mlir::ModuleOp> run();

  // Operators. Importer.cpp
  mlir::LogicalResult importConstant(const Node &node);
  mlir::LogicalResult importIdentity(const Node &node);
  // Quantization.cpp
  mlir::LogicalResult importQuantizeLinear(const Node &node);
  mlir::LogicalResult importDequantizeLinear(const Node &node);
  mlir::LogicalResult importClip(const Node &node);
  mlir::LogicalResult importRelu(const Node &node);
  // Accumulating.cpp, and RealLayers.cpp where operands are no codes
  mlir::LogicalResult importConv(const Node &node);
  mlir::LogicalResult importConvTranspose(const Node &node);
  mlir::LogicalResult importGemm(const Node &node);
  mlir::LogicalResult importMatMul(const Node &node);
  mlir::LogicalResult importBatchNormalization(const Node &node);
  // Functions.cpp
  mlir::LogicalResult importSigmoid(const Node &node);
  mlir::LogicalResult importTanh(const Node &node);
  mlir::LogicalResult importHardSigmoid(const Node &node);
  mlir::LogicalResult importHardSwish(const Node &node);
  mlir::LogicalResult importLeakyRelu(const Node &node);
  mlir::LogicalResult importPRelu(const Node &node);
  mlir::LogicalResult importSoftmax(const Node &node);
  // Attention.cpp
  mlir::LogicalResult importAttention(const Node &node);
  // Elementwise.cpp
  mlir::LogicalResult importFunction(const Node &node);
  mlir::LogicalResult importArithmetic(const Node &node);
  mlir::LogicalResult importClass(const Node &node);
  mlir::LogicalResult importCompare(const Node &node);
  mlir::LogicalResult importWhere(const Node &node);
  mlir::LogicalResult importCast(const Node &node);
  mlir::LogicalResult importCastLike(const Node &node);
  mlir::LogicalResult castTo(const Node &node, ElementType to);
  mlir::LogicalResult importOnlyConstant(const Node &node);
  // Reductions.cpp
  mlir::LogicalResult importReduction(const Node &node);
  mlir::LogicalResult importArgument(const Node &node);
  mlir::LogicalResult importCumSum(const Node &node);
  mlir::LogicalResult importTopK(const Node &node);
  // Einsum.cpp
  mlir::LogicalResult importEinsum(const Node &node);
  // Normalization.cpp
  mlir::LogicalResult importLayerNormalization(const Node &node);
  mlir::LogicalResult importInstanceNormalization(const Node &node);
  mlir::LogicalResult importGroupNormalization(const Node &node);
  mlir::LogicalResult importLpNormalization(const Node &node);
  // Indexing.cpp
  mlir::LogicalResult importSlice(const Node &node);
  mlir::LogicalResult importSplit(const Node &node);
  mlir::LogicalResult importConcat(const Node &node);
  // Pad.cpp
  mlir::LogicalResult importPad(const Node &node);
  // Rearrange.cpp
  mlir::LogicalResult importDepthToSpace(const Node &node);
  mlir::LogicalResult importSpaceToDepth(const Node &node);
  mlir::LogicalResult importExpand(const Node &node);
  mlir::LogicalResult importTile(const Node &node);
  mlir::LogicalResult importTrilu(const Node &node);
  mlir::LogicalResult importScatter(const Node &node);
  mlir::LogicalResult importTensorScatter(const Node &node);
  mlir::Value scattered(const Node &node, mlir::Value data, mlir::Value updates,
                        mlir::Value table, bool isSigned);
  // Resize.cpp
  mlir::LogicalResult importResize(const Node &node);
  struct Taps;
  // Operators.cpp
  mlir::LogicalResult importAdd(const Node &node);
  mlir::LogicalResult importSub(const Node &node);
  mlir::LogicalResult importMul(const Node &node);
  mlir::LogicalResult importDiv(const Node &node);
  mlir::LogicalResult importSqueeze(const Node &node);
  mlir::LogicalResult importUnsqueeze(const Node &node);
  mlir::LogicalResult importFlatten(const Node &node);
  mlir::LogicalResult importReshape(const Node &node);
  mlir::LogicalResult importTranspose(const Node &node);
  // Gather.cpp
  mlir::LogicalResult importGather(const Node &node);
  mlir::LogicalResult gatherConstantIndices(const Node &node);
  mlir::LogicalResult importGatherElements(const Node &node);
  mlir::LogicalResult importGatherND(const Node &node);
  mlir::LogicalResult importOneHot(const Node &node);
  // Pooling.cpp
  mlir::LogicalResult importMaxPool(const Node &node);
  mlir::LogicalResult importAveragePool(const Node &node);
  mlir::LogicalResult importGlobalAveragePool(const Node &node);
  mlir::LogicalResult importGlobalMaxPool(const Node &node);
  mlir::LogicalResult importReduceMean(const Node &node);

  // Dynamic.cpp
  mlir::LogicalResult importDynamicQuantizeLinear(const Node &node);
  mlir::LogicalResult importPadCodes(const Node &node);
  mlir::LogicalResult importIntegerSums(const Node &node);
  mlir::LogicalResult importDifferences(const Node &node);
  // QONNX.cpp
  mlir::LogicalResult importQuant(const Node &node);
  mlir::LogicalResult importBipolarQuant(const Node &node);
  mlir::LogicalResult importTrunc(const Node &node);
  // Thresholds.cpp
  mlir::LogicalResult importMultiThreshold(const Node &node);

private:
  // The function. Importer.cpp
  mlir::LogicalResult importNode(const Node &node);
  mlir::LogicalResult defineInputs();
  mlir::LogicalResult defineInputsOrReport();
  mlir::LogicalResult assignShapes();
  mlir::FailureOr<llvm::SmallVector<int64_t>>
  inputShape(const onnx::ValueInfoProto &input);
  mlir::DictionaryAttr interfaceAttributes(llvm::StringRef name,
                                           bool isUnsigned,
                                           bool isTruth = false);
  mlir::LogicalResult returnOutputs();

  // Values. Importer.cpp
  mlir::FailureOr<Known *> lookup(const Node &node, unsigned index);
  /// The input as a constant; an error says that `what` must be constant.
  mlir::FailureOr<std::shared_ptr<const Tensor>>
  constantInput(const Node &node, unsigned index, llvm::StringRef what);
  static Known constantOf(Tensor tensor);
  /// An error when a result of this shape is empty or beyond 2^31 elements.
  static mlir::LogicalResult checkSize(const Node &node,
                                       llvm::ArrayRef<int64_t> shape);
  void define(const Node &node, Known known, unsigned output = 0);
  void releaseInputs(const Node &node);

  // Layouts. Layouts.cpp
  mlir::Value get(Known &known, Layout layout);
  /// The layout to continue in without a transposition.
  Layout preferred(const Known &known) const;
  static void set(Layouts &layouts, Layout layout, mlir::Value value);
  mlir::Value transposed(mlir::Value value,
                         llvm::ArrayRef<int64_t> permutation);
  mlir::Value reshaped(mlir::Value value, llvm::ArrayRef<int64_t> shape);
  /// Integers of a quantized tensor, and back. Pairs of casts cancel.
  mlir::Value storage(mlir::Value value);
  mlir::Value quantized(mlir::Value value, mlir::Type type);
  llvm::SmallVector<int64_t> physicalShape(llvm::ArrayRef<int64_t> shape,
                                           Layout layout) const;

  // Emission of TOSA. Tosa.cpp
  mlir::Value realConstant(llvm::ArrayRef<int64_t> shape,
                           llvm::ArrayRef<float> values);
  mlir::Value realScalar(float value, int64_t rank);
  mlir::Value shapeConstant(llvm::ArrayRef<int64_t> shape);
  mlir::Value sliced(mlir::Value value, llvm::ArrayRef<int64_t> start,
                     llvm::ArrayRef<int64_t> size);
  mlir::Value clamped(mlir::Value value, std::optional<float> lo,
                      std::optional<float> hi);
  /// Operands of one rank, whose sizes are equal or 1.
  template <typename Op> mlir::Value binary(mlir::Value lhs, mlir::Value rhs);
  mlir::Value product(mlir::Value lhs, mlir::Value rhs);
  /// Divided for each element; `rhs` may have sizes 1.
  mlir::Value quotient(mlir::Value lhs, mlir::Value rhs);
  /// One value per channel, to be broadcast over a tensor of that layout.
  mlir::Value channelConstant(llvm::ArrayRef<float> values, int64_t rank,
                              Layout layout);
  /// Defines the node as `body` of its only input, element by element.
  using Function = llvm::function_ref<mlir::Value(mlir::Value)>;
  mlir::LogicalResult defineElementwise(const Node &node, Function body);
  /// The same of two inputs that are broadcast to each other.
  mlir::LogicalResult
  defineBroadcast(const Node &node,
                  llvm::function_ref<mlir::Value(mlir::Value, mlir::Value)>);
  mlir::Value broadcastOperand(Known &known, int64_t rank, Layout layout);

  // Emission. Layouts.cpp
  mlir::Value constantTensor(llvm::ArrayRef<int64_t> shape,
                             llvm::ArrayRef<float> values);
  mlir::Value constantTensor(llvm::ArrayRef<int64_t> shape,
                             llvm::ArrayRef<int64_t> values, unsigned bits);
  mlir::Value constantTensor(llvm::ArrayRef<int64_t> shape,
                             const Integers &values, unsigned bits);
  mlir::Value scalar(float value);
  mlir::Value scalar(int64_t value, unsigned bits);
  /// An elementwise linalg.generic; operands of the given maps.
  using Body = llvm::function_ref<mlir::Value(mlir::ImplicitLocOpBuilder &,
                                              mlir::ValueRange)>;
  mlir::Value elementwise(llvm::ArrayRef<mlir::Value> operands,
                          llvm::ArrayRef<mlir::AffineMap> maps,
                          llvm::ArrayRef<int64_t> shape, mlir::Type element,
                          Body body);
  mlir::Value elementwise(mlir::Value operand, mlir::Type element, Body body);

  // Elements of any type. Fold.cpp, Elementwise.cpp
  mlir::FailureOr<bool> fold(const Node &node);
  static ElementType elementTypeOf(const Known &known);
  mlir::Type storedType(ElementType type);
  static Known unset(ElementType type, llvm::ArrayRef<int64_t> shape);
  mlir::Value emitted(Known &known, Layout layout);
  /// Defines the node as `body` of the elements of those inputs, broadcast to
  /// each other.
  mlir::LogicalResult defineGeneric(const Node &node,
                                    llvm::ArrayRef<unsigned> inputs,
                                    ElementType type, Body body);

  // Indexing.cpp
  /// An input whose elements can be moved without being computed with.
  mlir::FailureOr<Known> movable(const Node &node, unsigned index);
  /// The input with other elements in place of its own.
  static Known moved(const Known &known, llvm::ArrayRef<int64_t> shape,
                     Layout layout, mlir::Value value);
  mlir::FailureOr<llvm::SmallVector<int64_t>>
  integersInput(const Node &node, unsigned index, llvm::StringRef what);
  mlir::Value extracted(mlir::Value value, llvm::ArrayRef<int64_t> starts,
                        llvm::ArrayRef<int64_t> sizes,
                        llvm::ArrayRef<int64_t> steps);
  /// A tensor whose element at each index is `body` of that index.
  mlir::Value indexed(llvm::ArrayRef<int64_t> shape, mlir::Type element,
                      Body body);
  mlir::Value broadcastValue(mlir::Value value, llvm::ArrayRef<int64_t> shape);
  mlir::FailureOr<llvm::SmallVector<SliceRange>>
  sliceInputs(const Node &node, llvm::ArrayRef<int64_t> shape);
  mlir::Value taken(mlir::Value value, Layout layout,
                    llvm::ArrayRef<SliceRange> ranges);
  mlir::FailureOr<std::vector<Known>> concatInputs(const Node &node);
  mlir::Value concatenated(llvm::ArrayRef<mlir::Value> values,
                           mlir::RankedTensorType type, int64_t axis);

  // Pad.cpp
  struct Padding;
  mlir::FailureOr<Padding> padding(const Node &node,
                                   llvm::ArrayRef<int64_t> shape);
  mlir::FailureOr<mlir::Value> border(const Node &node, Known &input,
                                      mlir::Type element);

  // Gather.cpp
  mlir::FailureOr<Known> indices(const Node &node, unsigned index);

  // Resize.cpp
  mlir::FailureOr<std::shared_ptr<const Tensor>>
  resizeInput(const Node &node, unsigned index, llvm::StringRef what,
              size_t length);
  mlir::FailureOr<llvm::SmallVector<Resampling>>
  resamplings(const Node &node, llvm::ArrayRef<int64_t> shape);
  mlir::Value takenNearest(mlir::Value value, llvm::ArrayRef<int64_t> shape,
                           llvm::ArrayRef<Taps> taps, mlir::Value outside);
  mlir::Value interpolated(mlir::Value value, int64_t dim, const Taps &taps,
                           float outside);

  // Reductions.cpp
  using Step = llvm::function_ref<mlir::Value(
      mlir::ImplicitLocOpBuilder &, mlir::Value element, mlir::Value so_far)>;
  /// `value` without the dimensions `axes`, folded in the order of memory.
  mlir::Value reduced(mlir::Value value, llvm::ArrayRef<int64_t> axes,
                      mlir::Value initial, Step step);
  mlir::Value meanOf(mlir::Value value, llvm::ArrayRef<int64_t> axes);
  mlir::Value reducedReals(const Node &node, mlir::Value x,
                           llvm::ArrayRef<int64_t> places);
  mlir::Value reducedIntegers(const Node &node, ElementType type, mlir::Value x,
                              llvm::ArrayRef<int64_t> places);
  mlir::FailureOr<Known> ordered(const Node &node);
  mlir::Value ranked(mlir::Value rows, bool isLargest, bool isSigned);

  // Functions.cpp
  mlir::Value softmax(mlir::Value x, int64_t axis, bool isLogarithm = false);

  // Attention.cpp
  mlir::FailureOr<mlir::Value> heads(const Node &node, unsigned index,
                                     llvm::StringRef attribute);
  mlir::FailureOr<mlir::Value> masked(const Node &node, mlir::Value scores);
  mlir::Value extendedMask(mlir::Value mask, int64_t length, bool isTruth);
  mlir::FailureOr<mlir::Value> inSight(const Node &node, mlir::Value scores,
                                       int64_t past);
  mlir::Value shares(mlir::Value scores);
  mlir::FailureOr<mlir::Value> withPast(const Node &node, mlir::Value present,
                                        unsigned index, unsigned output);
  void defineScores(const Node &node, int64_t step, mlir::Value scores);
  mlir::FailureOr<mlir::Value>
  attentionShares(const Node &node, mlir::Value scores, int64_t past);

  // Normalization.cpp
  mlir::Value normalized(mlir::Value x, llvm::ArrayRef<int64_t> axes,
                         float epsilon, bool centres);
  mlir::FailureOr<bool> importSpelledNormalization(const Node &node);

  // Codes and real numbers. Quantization.cpp
  mlir::FailureOr<Quantization>
  quantizationOf(const Node &node, ElementType type, const Known &value);
  /// Range left by the Clips that are the only readers of `value`, so that
  /// they need no code of their own.
  mlir::LogicalResult narrowByClips(const Node &node, CodeFormat &format);
  mlir::FailureOr<Range> integerBounds(const Node &node, ElementType type);
  mlir::FailureOr<mlir::quant::QuantizedType>
  codeType(const Node &node, const CodeFormat &format,
           const Quantization &quantization);
  mlir::Value codes(Known &known, Layout layout, mlir::Type type);
  /// Blocks.cpp
  mlir::LogicalResult dequantizeBlocks(const Node &node, const Known &codes);
  std::shared_ptr<const Blocks> blocksOf(const Node &node, unsigned index);
  /// A product of codes and such a constant; false when it is none.
  mlir::FailureOr<bool> importBlockProduct(const Node &node);
  mlir::LogicalResult quantizeConstant(const Node &node, const Tensor &tensor,
                                       const CodeFormat &format,
                                       const Quantization &quantization);
  mlir::FailureOr<bool> requantize(const Node &node, Known &input,
                                   CodeFormat format,
                                   const Quantization &quantization);
  mlir::LogicalResult clipCodes(const Node &node, Known &input, Range bounds);
  mlir::LogicalResult clipReals(const Node &node, Known &input,
                                std::optional<float> lo,
                                std::optional<float> hi);
  /// The input as real numbers.
  mlir::FailureOr<Known *> real(const Node &node, unsigned index);
  /// The same for what is not codes; emitted once.
  Known *emitReal(Known &known);
  static std::vector<float> constantReals(const Known &known);
  mlir::Value emitSums(const Sums &sums);
  /// What was computed of an accumulating layer's sums, element by element, as
  /// the layer's result.
  mlir::Value resultOf(const Known &known, mlir::Value value);

  // Layers. Accumulating.cpp
  struct Weights;
  /// Whether both operands are codes, so that integers are accumulated.
  mlir::FailureOr<bool> accumulatesCodes(const Node &node);
  struct Geometry;
  mlir::FailureOr<Geometry> geometry(const Node &node,
                                     llvm::ArrayRef<int64_t> image,
                                     llvm::ArrayRef<int64_t> filter,
                                     unsigned dims);
  mlir::FailureOr<Known *> activations(const Node &node);
  mlir::FailureOr<Weights> weights(const Node &node,
                                   llvm::ArrayRef<int64_t> permutation,
                                   int64_t channelDim);
  mlir::FailureOr<Weights> weights(const Node &node, const Known &known,
                                   llvm::ArrayRef<int64_t> permutation,
                                   int64_t channelDim);
  /// `pixels` has rank 4, the result the node's.
  mlir::FailureOr<Known> convolutionOfCodes(const Node &node, Known &pixels,
                                            const Weights &weights,
                                            const Geometry &geometry);
  mlir::FailureOr<mlir::Value> emitWeights(const Node &node,
                                           const Weights &weights);
  void noteOrigin(mlir::Value sums, const Weights &weights,
                  llvm::ArrayRef<int64_t> flattenedFrom);
  static Sums startSums(const Known &input, const Weights &weights,
                        float factor = 1);
  mlir::LogicalResult addBias(const Node &node, const Known &bias,
                              unsigned index, int64_t channelFromEnd,
                              Sums &sums);
  /// A real constant; an error where it is something else.
  mlir::FailureOr<const Known *> constantBias(const Node &node, unsigned index);
  mlir::LogicalResult addBiasInput(const Node &node, unsigned index,
                                   Sums &sums);
  mlir::LogicalResult matrixProduct(const Node &node, Weights weights,
                                    bool hasBias, float factor = 1);
  /// For an Add: makes it a bias of input `index`, when that is sums and the
  /// other a constant per channel. False when it is not so.
  mlir::FailureOr<bool> addToSums(const Node &node, unsigned index);
  mlir::Type accumulator(unsigned width);
  /// Products of two activations. CodeProducts.cpp; false when node is none of
  /// codes that can be multiplied as they are.
  mlir::FailureOr<bool> importProductOfCodes(const Node &node);
  mlir::FailureOr<mlir::Value> batchedCodes(const Node &node, Known &known,
                                            llvm::ArrayRef<int64_t> batch);

  // Layers of real numbers. RealLayers.cpp
  mlir::FailureOr<Tensor> realWeights(const Node &node, unsigned index,
                                      unsigned rank);
  mlir::FailureOr<Tensor> realBias(const Node &node, unsigned index,
                                   int64_t channels);
  mlir::LogicalResult importRealConv(const Node &node);
  mlir::LogicalResult importRealGemm(const Node &node);
  mlir::LogicalResult importComputedGemm(const Node &node);
  mlir::LogicalResult importRealMatMul(const Node &node);
  mlir::FailureOr<Known> computedProduct(const Node &node, Known &lhs,
                                         Known &rhs, bool transA, bool transB);
  mlir::FailureOr<Known> realMatrixProduct(const Node &node, Known &input,
                                           Tensor weights);
  mlir::Value convolution(mlir::Value image, const Tensor &weights,
                          llvm::ArrayRef<float> bias, const Window &window);
  mlir::Value depthwiseConvolution(mlir::Value image, const Tensor &weights,
                                   llvm::ArrayRef<float> bias,
                                   const Window &window);
  mlir::Value groupedConvolution(const Node &node, mlir::Value image,
                                 const Tensor &weights,
                                 llvm::ArrayRef<float> bias,
                                 const Geometry &geometry);

  mlir::Value convolution(const Node &node, mlir::Value image,
                          const Tensor &weights, llvm::ArrayRef<float> bias,
                          const Geometry &geometry);

  // ConvTranspose.cpp
  struct Transposition;
  mlir::FailureOr<Transposition> transposition(const Node &node,
                                               llvm::ArrayRef<int64_t> shape,
                                               llvm::ArrayRef<int64_t> weights);
  mlir::LogicalResult importRealConvTranspose(const Node &node);
  mlir::Value interleaved(mlir::Value image, const Phases &phases);
  mlir::Value withinPadding(mlir::Value image, Window &window);

  // Einsum.cpp
  mlir::Value inOrder(mlir::Value value, llvm::ArrayRef<int> letters,
                      llvm::ArrayRef<int> order);
  mlir::Value diagonal(mlir::Value value, llvm::SmallVectorImpl<int> &letters);
  mlir::FailureOr<mlir::Value>
  productOf(const Node &node, llvm::ArrayRef<mlir::Value> values,
            llvm::ArrayRef<llvm::SmallVector<int>> letters,
            llvm::ArrayRef<int> order,
            const llvm::SmallDenseMap<int, int64_t> &sizes);

  // Dynamic.cpp
  mlir::Value extreme(mlir::Value x, bool isLargest);
  mlir::FailureOr<mlir::Value>
  computedZeroPoint(const Node &node, unsigned index, ElementType type);
  static llvm::SmallVector<int64_t> weightSums(const Known &weights,
                                               int64_t channels);

  // QONNX.cpp
  struct QuantNode;
  mlir::FailureOr<std::shared_ptr<const Tensor>>
  realParameter(const Node &node, unsigned index, llvm::StringRef what);
  mlir::FailureOr<llvm::SmallVector<int64_t>>
  integerParameter(const Node &node, unsigned index, llvm::StringRef what);
  mlir::FailureOr<std::pair<int64_t, size_t>>
  channelsOf(const Node &node, llvm::ArrayRef<int64_t> shape,
             llvm::ArrayRef<size_t> sizes);
  mlir::FailureOr<QuantNode> quantNode(const Node &node,
                                       llvm::ArrayRef<int64_t> shape);
  mlir::LogicalResult quantConstant(const Node &node, const Known &known,
                                    const QuantNode &quant);
  mlir::LogicalResult defineCodes(
      const Node &node, Known &reals, const CodeFormat &format,
      const Quantization &quantization, bool isLinear,
      llvm::function_ref<mlir::Value(mlir::ImplicitLocOpBuilder &, mlir::Value)>
          body);
  // Thresholds.cpp
  mlir::Value countThresholds(mlir::Value x, const Tensor &thresholds,
                              int64_t dim, int64_t start, int64_t step,
                              unsigned bits);

  // Operators.cpp
  mlir::FailureOr<bool> isInteger(const Node &node);
  mlir::FailureOr<llvm::SmallVector<int64_t>>
  axesInput(const Node &node, int64_t rank, unsigned index = 1);
  /// The same where the order of axes means nothing.
  mlir::FailureOr<llvm::SmallVector<int64_t>> sortedAxesInput(const Node &node,
                                                              int64_t rank);
  mlir::LogicalResult reshapeTo(const Node &node, Known &input,
                                llvm::ArrayRef<int64_t> shape);

  // Pooling.cpp
  /// `kernel` is the default of kernel_shape. Attributes have `dims` sizes: of
  /// one dimension, they are those of columns.
  mlir::FailureOr<Window> window(const Node &node,
                                 llvm::ArrayRef<int64_t> image,
                                 llvm::ArrayRef<int64_t> kernel, unsigned dims);
  /// A sequence [N, C, L] as an image [N, C, 1, L], and back.
  Known asImage(Known &known);
  Known fromImage(const Known &image, int64_t rank);
  mlir::FailureOr<Window> poolingWindow(const Node &node, const Known &input);
  mlir::Value padded(mlir::Value image, const Window &window,
                     mlir::Value value);
  template <typename PoolingOp>
  mlir::Value pool(mlir::Value image, const Window &window,
                   mlir::Value initial);
  /// Cuts off what no window covers: in TOSA the last window ends with the
  /// padded image.
  mlir::Value fitted(mlir::Value image, Window &window);
  mlir::LogicalResult average(const Node &node, Known &input, Window window);

  Graph &graph;
  ImportOptions options;
  mlir::ImplicitLocOpBuilder b;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  llvm::StringMap<std::unique_ptr<Known>> values;
  /// How many inputs of nodes will still ask for a value.
  llvm::StringMap<unsigned> uses;
  /// What the options say of each input.
  llvm::StringMap<llvm::ArrayRef<int64_t>> wantedShapes;
};

/// Where the windows of a convolution stand, and its groups.
struct Importer::Geometry {
  Window window;
  int64_t groups = 1;
};

/// Integer weights of zero point 0, output channel first.
struct Importer::Weights {
  llvm::SmallVector<int64_t> shape;
  Integers codes;
  Range range;
  bool isSigned = true;
  unsigned bits = 8; ///< in memory
  llvm::SmallVector<float> scales;
  /// As the file has them.
  bool isSignedInFile = true;
  llvm::SmallVector<int64_t> zeroPoints;

  int64_t channels() const { return shape.front(); }
  int64_t length() const {
    return static_cast<int64_t>(codes.size()) / channels();
  }
};

/// An attribute of as many integers as `otherwise`, each from `least` to 2^20,
/// for `dims` dimensions of an image.
mlir::FailureOr<llvm::SmallVector<int64_t>>
sizesAttribute(const Node &node, llvm::StringRef name,
               llvm::ArrayRef<int64_t> otherwise, int64_t least, unsigned dims);

/// Columns of [N, C*H*W] in the order of a flattened image whose channels come
/// last: [n, c, h, w] to [n, h, w, c]. `image` is {C, H, W}.
template <typename Elements>
void permuteToChannelsLast(llvm::ArrayRef<int64_t> image, Elements &elements) {
  int64_t channels = image[0], pixels = image[1] * image[2];
  const Elements from = elements;
  for (size_t index = 0; index < elements.size(); ++index) {
    int64_t row = index / (channels * pixels),
            column = index % (channels * pixels);
    int64_t pixel = column / channels, channel = column % channels;
    elements[index] = from[(row * channels + channel) * pixels + pixel];
  }
}

/// round half to even of x / scale, plus the zero point; saturated.
int64_t quantizeReal(float x, float scale, int64_t zeroPoint, Range range);

} // namespace a2q::frontend

#endif // A2Q_LIB_FRONTEND_ONNX_IMPORTER_H
