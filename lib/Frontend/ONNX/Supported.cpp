//===- Supported.cpp - The operators that are imported --------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Importer.h"

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

ArrayRef<Operator> frontend::supportedOperators() {
  using Attributes =
      std::pair<llvm::StringLiteral, onnx::AttributeProto::AttributeType>;
  constexpr auto Int = onnx::AttributeProto::INT;
  constexpr auto Ints = onnx::AttributeProto::INTS;
  constexpr auto Float = onnx::AttributeProto::FLOAT;
  constexpr auto String = onnx::AttributeProto::STRING;
  static const Attributes quantize[] = {{"axis", Int},
                                        {"saturate", Int},
                                        {"block_size", Int},
                                        {"output_dtype", Int},
                                        {"precision", Int}};
  static const Attributes conv[] = {
      {"auto_pad", String},   {"dilations", Ints}, {"group", Int},
      {"kernel_shape", Ints}, {"pads", Ints},      {"strides", Ints}};
  static const Attributes convTranspose[] = {
      {"auto_pad", String},   {"dilations", Ints},      {"group", Int},
      {"kernel_shape", Ints}, {"output_padding", Ints}, {"output_shape", Ints},
      {"pads", Ints},         {"strides", Ints}};
  static const Attributes gemm[] = {
      {"alpha", Float}, {"beta", Float}, {"transA", Int}, {"transB", Int}};
  static const Attributes pool[] = {
      {"auto_pad", String},       {"ceil_mode", Int},
      {"count_include_pad", Int}, {"dilations", Ints},
      {"kernel_shape", Ints},     {"pads", Ints},
      {"storage_order", Int},     {"strides", Ints}};
  static const Attributes constant[] = {
      {"value", onnx::AttributeProto::TENSOR},
      {"value_float", Float},
      {"value_floats", onnx::AttributeProto::FLOATS},
      {"value_int", Int},
      {"value_ints", Ints}};
  static const Attributes axis[] = {{"axis", Int}};
  static const Attributes axes[] = {{"axes", Ints}};
  static const Attributes argument[] = {
      {"axis", Int}, {"keepdims", Int}, {"select_last_index", Int}};
  static const Attributes cast[] = {
      {"to", Int}, {"saturate", Int}, {"round_mode", String}};
  static const Attributes value[] = {{"value", onnx::AttributeProto::TENSOR}};
  static const Attributes approximate[] = {{"approximate", String}};
  static const Attributes gamma[] = {{"alpha", Float}, {"gamma", Float}};
  static const Attributes modulus[] = {{"fmod", Int}};
  static const Attributes mode[] = {{"mode", String}};
  static const Attributes ends[] = {{"start", Int}, {"end", Int}};
  static const Attributes split[] = {
      {"axis", Int}, {"split", Ints}, {"num_outputs", Int}};
  static const Attributes layerNorm[] = {
      {"axis", Int}, {"epsilon", Float}, {"stash_type", Int}};
  static const Attributes blockSize[] = {{"blocksize", Int}};
  static const Attributes depth[] = {{"blocksize", Int}, {"mode", String}};
  static const Attributes scatter[] = {{"axis", Int}, {"reduction", String}};
  static const Attributes tensorScatter[] = {{"axis", Int}, {"mode", String}};
  static const Attributes batches[] = {{"batch_dims", Int}};
  static const Attributes upper[] = {{"upper", Int}};
  static const Attributes cumSum[] = {{"exclusive", Int}, {"reverse", Int}};
  static const Attributes topK[] = {
      {"axis", Int}, {"largest", Int}, {"sorted", Int}};
  static const Attributes equation[] = {{"equation", String}};
  static const Attributes groupNorm[] = {
      {"epsilon", Float}, {"num_groups", Int}, {"stash_type", Int}};
  static const Attributes norm[] = {{"axis", Int}, {"p", Int}};
  static const Attributes detect[] = {{"detect_negative", Int},
                                      {"detect_positive", Int}};
  static const Attributes attention[] = {
      {"is_causal", Int},         {"kv_num_heads", Int},
      {"q_num_heads", Int},       {"qk_matmul_output_mode", Int},
      {"scale", Float},           {"softcap", Float},
      {"softmax_precision", Int}, {"left_window_size", Int},
      {"right_window_size", Int}};
  static const Attributes castLike[] = {{"saturate", Int},
                                        {"round_mode", String}};
  static const Attributes dropout[] = {{"seed", Int}, {"ratio", Float}};
  static const Attributes mean[] = {
      {"axes", Ints}, {"keepdims", Int}, {"noop_with_empty_axes", Int}};
  static const Attributes resize[] = {
      {"antialias", Int},
      {"axes", Ints},
      {"coordinate_transformation_mode", String},
      {"cubic_coeff_a", Float},
      {"exclude_outside", Int},
      {"extrapolation_value", Float},
      {"keep_aspect_ratio_policy", String},
      {"mode", String},
      {"nearest_mode", String}};
  static const Attributes reshape[] = {{"allowzero", Int}};
  static const Attributes transpose[] = {{"perm", Ints}};
  static const Attributes normalization[] = {
      {"epsilon", Float}, {"momentum", Float}, {"training_mode", Int}};
  static const Attributes alpha[] = {{"alpha", Float}};
  static const Attributes line[] = {{"alpha", Float}, {"beta", Float}};
  static const Attributes pads[] = {{"pads", Ints}};
  static const Attributes quant[] = {
      {"signed", Int}, {"narrow", Int}, {"rounding_mode", String}};
  static const Attributes threshold[] = {{"out_dtype", String},
                                         {"out_scale", Float},
                                         {"out_bias", Float},
                                         {"data_layout", String}};
  static const Operator operators[] = {
      {"Abs", 1, 1, &Importer::importFunction, {}},
      {"Add", 2, 2, &Importer::importAdd, {}},
      {"And", 2, 2, &Importer::importArithmetic, {}},
      {"ArgMax", 1, 1, &Importer::importArgument, argument},
      {"ArgMin", 1, 1, &Importer::importArgument, argument},
      {"Attention", 3, 7, &Importer::importAttention, attention, 4},
      {"AveragePool", 1, 1, &Importer::importAveragePool, pool},
      {"BatchNormalization", 5, 5, &Importer::importBatchNormalization,
       normalization},
      {"Cast", 1, 1, &Importer::importCast, cast},
      {"CastLike", 2, 2, &Importer::importCastLike, castLike},
      {"Ceil", 1, 1, &Importer::importFunction, {}},
      {"Celu", 1, 1, &Importer::importFunction, alpha},
      {"Clip", 1, 3, &Importer::importClip, {}},
      {"Concat", 1, UINT32_MAX, &Importer::importConcat, axis},
      {"Constant", 0, 0, &Importer::importConstant, constant},
      {"ConstantOfShape", 1, 1, &Importer::importOnlyConstant, value},
      {"Conv", 2, 3, &Importer::importConv, conv},
      {"ConvTranspose", 2, 3, &Importer::importConvTranspose, convTranspose},
      {"Cos", 1, 1, &Importer::importFunction, {}},
      {"CumSum", 2, 2, &Importer::importCumSum, cumSum},
      {"DepthToSpace", 1, 1, &Importer::importDepthToSpace, depth},
      {"DequantizeLinear", 2, 3, &Importer::importDequantizeLinear, quantize},
      {"Div", 2, 2, &Importer::importDiv, {}},
      {"Dropout", 1, 3, &Importer::importIdentity, dropout},
      {"DynamicQuantizeLinear",
       1,
       1,
       &Importer::importDynamicQuantizeLinear,
       {},
       3},
      {"Einsum", 1, UINT32_MAX, &Importer::importEinsum, equation},
      {"Elu", 1, 1, &Importer::importFunction, alpha},
      {"Equal", 2, 2, &Importer::importCompare, {}},
      {"Erf", 1, 1, &Importer::importFunction, {}},
      {"Exp", 1, 1, &Importer::importFunction, {}},
      {"Expand", 2, 2, &Importer::importExpand, {}},
      {"Flatten", 1, 1, &Importer::importFlatten, axis},
      {"Floor", 1, 1, &Importer::importFunction, {}},
      {"Gather", 2, 2, &Importer::importGather, axis},
      {"GatherElements", 2, 2, &Importer::importGatherElements, axis},
      {"GatherND", 2, 2, &Importer::importGatherND, batches},
      {"Gelu", 1, 1, &Importer::importFunction, approximate},
      {"Gemm", 2, 3, &Importer::importGemm, gemm},
      {"GlobalAveragePool", 1, 1, &Importer::importGlobalAveragePool, {}},
      {"GlobalMaxPool", 1, 1, &Importer::importGlobalMaxPool, {}},
      {"Greater", 2, 2, &Importer::importCompare, {}},
      {"GreaterOrEqual", 2, 2, &Importer::importCompare, {}},
      {"GroupNormalization", 3, 3, &Importer::importGroupNormalization,
       groupNorm},
      {"HardSigmoid", 1, 1, &Importer::importHardSigmoid, line},
      {"HardSwish", 1, 1, &Importer::importHardSwish, {}},
      {"Identity", 1, 1, &Importer::importIdentity, {}},
      {"InstanceNormalization", 3, 3, &Importer::importInstanceNormalization,
       normalization},
      {"IsInf", 1, 1, &Importer::importClass, detect},
      {"IsNaN", 1, 1, &Importer::importClass, {}},
      {"LayerNormalization", 2, 3, &Importer::importLayerNormalization,
       layerNorm},
      {"LeakyRelu", 1, 1, &Importer::importLeakyRelu, alpha},
      {"Less", 2, 2, &Importer::importCompare, {}},
      {"LessOrEqual", 2, 2, &Importer::importCompare, {}},
      {"Log", 1, 1, &Importer::importFunction, {}},
      {"LogSoftmax", 1, 1, &Importer::importSoftmax, axis},
      {"LpNormalization", 1, 1, &Importer::importLpNormalization, norm},
      {"MatMul", 2, 2, &Importer::importMatMul, {}},
      {"Max", 1, UINT32_MAX, &Importer::importArithmetic, {}},
      {"MaxPool", 1, 1, &Importer::importMaxPool, pool},
      {"Mean", 1, UINT32_MAX, &Importer::importArithmetic, {}},
      {"Min", 1, UINT32_MAX, &Importer::importArithmetic, {}},
      {"Mish", 1, 1, &Importer::importFunction, {}},
      {"Mod", 2, 2, &Importer::importArithmetic, modulus},
      {"Mul", 2, 2, &Importer::importMul, {}},
      {"Neg", 1, 1, &Importer::importFunction, {}},
      {"Not", 1, 1, &Importer::importFunction, {}},
      {"OneHot", 3, 3, &Importer::importOneHot, axis},
      {"Or", 2, 2, &Importer::importArithmetic, {}},
      {"Pad", 2, 4, &Importer::importPad, mode},
      {"Pow", 2, 2, &Importer::importArithmetic, {}},
      {"PRelu", 2, 2, &Importer::importPRelu, {}},
      {"QuantizeLinear", 2, 3, &Importer::importQuantizeLinear, quantize},
      {"Range", 3, 3, &Importer::importOnlyConstant, {}},
      {"Reciprocal", 1, 1, &Importer::importFunction, {}},
      {"ReduceL1", 1, 2, &Importer::importReduction, mean},
      {"ReduceL2", 1, 2, &Importer::importReduction, mean},
      {"ReduceLogSum", 1, 2, &Importer::importReduction, mean},
      {"ReduceLogSumExp", 1, 2, &Importer::importReduction, mean},
      {"ReduceMax", 1, 2, &Importer::importReduction, mean},
      {"ReduceMean", 1, 2, &Importer::importReduceMean, mean},
      {"ReduceMin", 1, 2, &Importer::importReduction, mean},
      {"ReduceProd", 1, 2, &Importer::importReduction, mean},
      {"ReduceSum", 1, 2, &Importer::importReduction, mean},
      {"ReduceSumSquare", 1, 2, &Importer::importReduction, mean},
      {"Relu", 1, 1, &Importer::importRelu, {}},
      {"Reshape", 2, 2, &Importer::importReshape, reshape},
      {"Resize", 1, 4, &Importer::importResize, resize},
      {"RMSNormalization", 2, 2, &Importer::importLayerNormalization,
       layerNorm},
      {"Round", 1, 1, &Importer::importFunction, {}},
      {"ScatterElements", 3, 3, &Importer::importScatter, scatter},
      {"ScatterND", 3, 3, &Importer::importScatter, scatter},
      {"Selu", 1, 1, &Importer::importFunction, gamma},
      {"Shape", 1, 1, &Importer::importOnlyConstant, ends},
      {"Sigmoid", 1, 1, &Importer::importSigmoid, {}},
      {"Sign", 1, 1, &Importer::importFunction, {}},
      {"SimplifiedLayerNormalization", 2, 2,
       &Importer::importLayerNormalization, layerNorm},
      {"Sin", 1, 1, &Importer::importFunction, {}},
      {"Size", 1, 1, &Importer::importOnlyConstant, {}},
      {"Slice", 3, 5, &Importer::importSlice, {}},
      {"Softmax", 1, 1, &Importer::importSoftmax, axis},
      {"Softplus", 1, 1, &Importer::importFunction, {}},
      {"Softsign", 1, 1, &Importer::importFunction, {}},
      {"SpaceToDepth", 1, 1, &Importer::importSpaceToDepth, blockSize},
      {"Split", 1, 2, &Importer::importSplit, split, UINT32_MAX},
      {"Sqrt", 1, 1, &Importer::importFunction, {}},
      {"Squeeze", 1, 2, &Importer::importSqueeze, axes},
      {"Sub", 2, 2, &Importer::importSub, {}},
      {"Sum", 1, UINT32_MAX, &Importer::importArithmetic, {}},
      {"Swish", 1, 1, &Importer::importFunction, alpha},
      {"Tanh", 1, 1, &Importer::importTanh, {}},
      {"TensorScatter", 2, 3, &Importer::importTensorScatter, tensorScatter},
      {"ThresholdedRelu", 1, 1, &Importer::importFunction, alpha},
      {"Tile", 2, 2, &Importer::importTile, {}},
      {"TopK", 2, 2, &Importer::importTopK, topK, 2},
      {"Transpose", 1, 1, &Importer::importTranspose, transpose},
      {"Trilu", 1, 2, &Importer::importTrilu, upper},
      {"Unsqueeze", 1, 2, &Importer::importUnsqueeze, axes},
      {"Where", 3, 3, &Importer::importWhere, {}},
      {"Xor", 2, 2, &Importer::importArithmetic, {}},
      {"BipolarQuant", 2, 2, &Importer::importBipolarQuant, {}, 1, "qonnx"},
      {"IntQuant", 4, 4, &Importer::importQuant, quant, 1, "qonnx"},
      {"MultiThreshold", 2, 2, &Importer::importMultiThreshold, threshold, 1,
       "qonnx"},
      {"Quant", 4, 4, &Importer::importQuant, quant, 1, "qonnx"},
      {"Trunc", 5, 6, &Importer::importTrunc, quant, 1, "qonnx"},
      // What macros become.
      {"IntegerSums", 2, 3, &Importer::importIntegerSums, {}, 1, kOwnDomain},
      {"Differences", 2, 2, &Importer::importDifferences, {}, 1, kOwnDomain},
      {"PadCodes", 2, 2, &Importer::importPadCodes, pads, 1, kOwnDomain},
  };
  return operators;
}
