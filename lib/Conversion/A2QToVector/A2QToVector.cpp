//===- A2QToVector.cpp - Accumulating ops to loops over a2q.mac -*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../A2QToPlanes/Choose.h"
#include "../A2QToPlanes/PairTables.h"
#include "Lowering.h"

#include "a2q/Conversion/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/StringSwitch.h"

namespace a2q {
#define GEN_PASS_DEF_CONVERTA2QTOVECTOR
#include "a2q/Conversion/Passes.h.inc"
} // namespace a2q

using namespace mlir;
using namespace a2q;

//===----------------------------------------------------------------------===//
// Shapes of results
//===----------------------------------------------------------------------===//

/// The sizes of the op's result. Rows of the result are rows of the
/// activations.
static SmallVector<OpFoldResult> resultSizes(OpBuilder &b, const Layer &layer) {
  Operation *op = layer.op;
  auto result = cast<RankedTensorType>(op->getResult(0).getType());
  SmallVector<OpFoldResult> sizes;
  for (int64_t d = 0; d < result.getRank(); ++d) {
    if (!result.isDynamicDim(d))
      sizes.push_back(b.getIndexAttr(result.getDimSize(d)));
    else
      sizes.push_back(
          tensor::DimOp::create(b, op->getLoc(), layer.op.getActivations(), d)
              .getResult());
  }
  return sizes;
}

/// How the dimensions of the op's result become [rows, all channels].
static SmallVector<ReassociationIndices> rowsOfResult(int64_t rank) {
  return {llvm::to_vector(llvm::seq<int64_t>(0, rank - 1)), {rank - 1}};
}
/// How those of a kernel do.
static SmallVector<ReassociationIndices> rowsOfKernel(const Layer &layer) {
  if (layer.batched)
    return {{0, 1}, {2}};
  return {{0}, {1, 2}};
}

/// What the kernel writes: a tensor of the result's shape seen as [positions]
/// [groups][channels] (batched: [batch][positions][channels]; depthwise:
/// [positions][1][groups]). `restoreShape` undoes the view, so that the result
/// needs no copy.
static Value makeDestination(OpBuilder &b, const Layer &layer, const Plan &plan,
                             const Activations &activations, Type element) {
  Location loc = layer.op.getLoc();
  SmallVector<OpFoldResult> sizes = resultSizes(b, layer);
  Value rows = tensor::EmptyOp::create(b, loc, sizes, element);
  if (sizes.size() > 2)
    rows = tensor::CollapseShapeOp::create(b, loc, rows,
                                           rowsOfResult(sizes.size()));
  SmallVector<OpFoldResult> shape = {activations.positions,
                                     b.getIndexAttr(layer.groups),
                                     b.getIndexAttr(layer.channels)};
  if (layer.batched)
    shape = {activations.outer, activations.positions, shape[2]};
  if (plan.depthwise)
    std::swap(shape[1], shape[2]);
  SmallVector<int64_t> known;
  for (OpFoldResult size : shape)
    known.push_back(getConstantIntValue(size).value_or(ShapedType::kDynamic));
  return tensor::ExpandShapeOp::create(b, loc,
                                       RankedTensorType::get(known, element),
                                       rows, rowsOfKernel(layer), shape);
}

/// What the kernel wrote in the shape of the op's result.
static Value restoreShape(OpBuilder &b, const Layer &layer, Value kernel) {
  Operation *op = layer.op;
  Location loc = op->getLoc();
  auto result = cast<RankedTensorType>(op->getResult(0).getType());
  Value flat =
      tensor::CollapseShapeOp::create(b, loc, kernel, rowsOfKernel(layer));
  if (result.getRank() == 2)
    return flat;
  return tensor::ExpandShapeOp::create(
      b, loc, result.clone(getElementTypeOrSelf(kernel.getType())), flat,
      rowsOfResult(result.getRank()), resultSizes(b, layer));
}

//===----------------------------------------------------------------------===//
// Consumers
//===----------------------------------------------------------------------===//

/// A consumer of sums that are written as plain integers, element by element.
static FailureOr<Value> lowerUnfused(OpBuilder &b, const Layer &layer,
                                     Operation *consumer, Value sums) {
  SmallVector<Interval> intervals;
  for (int64_t c = 0; c < layer.allChannels(); ++c)
    intervals.push_back(layer.sums(c));
  FailureOr<Epilogue> epilogue = Epilogue::getUnfused(consumer, intervals);
  if (failed(epilogue))
    return failure();
  Location loc = consumer->getLoc();
  auto type = cast<RankedTensorType>(sums.getType());
  Value empty =
      tensor::EmptyOp::create(b, loc, tensor::getMixedSizes(b, loc, sums),
                              epilogue->getResultElementType());
  int64_t rank = type.getRank();
  AffineMap map = b.getMultiDimIdentityMap(rank);
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
  auto body = [&](OpBuilder &b, Location loc, ValueRange args) {
    auto constants = [&](ArrayRef<Attribute> values, Type element) -> Value {
      if (llvm::all_equal(values))
        return arith::ConstantOp::create(b, loc, cast<TypedAttr>(values[0]));
      auto type =
          RankedTensorType::get({static_cast<int64_t>(values.size())}, element);
      Value table = arith::ConstantOp::create(
          b, loc, DenseElementsAttr::get(type, values));
      Value channel = linalg::IndexOp::create(b, loc, rank - 1);
      return tensor::ExtractOp::create(b, loc, table, channel);
    };
    epilogue->prepare(b, loc, constants);
    linalg::YieldOp::create(b, loc, epilogue->apply(b, loc, args[0]));
  };
  return linalg::GenericOp::create(b, loc, empty.getType(), sums, empty,
                                   {map, map}, loops, body)
      .getResult(0);
}

/// Replaces the consumer by codes, or by integers as they are.
static void replaceConsumer(RewriterBase &rewriter, Operation *consumer,
                            Value result) {
  if (isa<RequantizeOp>(consumer))
    result = fromCodes(rewriter, result, consumer->getResult(0).getType());
  rewriter.replaceOp(consumer, result);
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

/// Accumulators are read by what takes the starts off, and by nothing else.
static LogicalResult verifyConsumers(AccumulatingOpInterface op) {
  for (Operation *consumer : op->getUsers())
    if (!isa<RequantizeOp, DecodeOp>(consumer)) {
      InFlightDiagnostic diagnostic =
          consumer->emitOpError("reads an accumulator, which only "
                                "a2q.requantize and a2q.decode do");
      diagnostic.attachNote(op->getLoc()) << "decode the sums first";
      return failure();
    }
  return success();
}

static LogicalResult lowerDense(IRRewriter &rewriter, const Layer &layer,
                                const Plan &plan) {
  AccumulatingOpInterface op = layer.op;
  SmallVector<Operation *> consumers(op->getUsers());
  Operation *fused = consumers.size() == 1 ? consumers[0] : nullptr;
  FailureOr<Epilogue> epilogue = fused ? Epilogue::get(layer, plan, fused)
                                       : Epilogue::getPlain(layer, plan);
  if (failed(epilogue))
    return failure();
  rewriter.setInsertionPoint(op);
  Activations activations = gatherActivations(rewriter, layer, plan);
  Value result = makeDestination(rewriter, layer, plan, activations,
                                 epilogue->getResultElementType());
  if (plan.depthwise)
    result =
        emitDepthwise(rewriter, layer, plan, activations, *epilogue, result);
  else
    result = emitKernel(rewriter, layer, plan, activations,
                        packWeights(rewriter, layer, plan), *epilogue, result);
  result = restoreShape(rewriter, layer, result);
  if (fused) {
    replaceConsumer(rewriter, fused, result);
  } else {
    for (Operation *consumer : consumers) {
      FailureOr<Value> own = lowerUnfused(rewriter, layer, consumer, result);
      if (failed(own))
        return failure();
      replaceConsumer(rewriter, consumer, *own);
    }
  }
  rewriter.eraseOp(op);
  return success();
}

namespace {
/// The codes that are known to lie in planes as well, by their dense value,
/// which is no more than a promise: nobody computes it when nobody reads it.
class PlaneValues {
public:
  explicit PlaneValues(const PairFunctions &pairs) : pairs(pairs) {}

  /// What the plan reads, converted where it is not known.
  Value get(OpBuilder &b, Value dense, const PlanePlan &plan) {
    if (Value known = find(b, dense, plan.input))
      return known;
    Value planes = find(b, dense, plan.source);
    if (!planes) {
      planes = toPlanes(b, dense.getLoc(), toCodes(b, dense), plan.source);
      add(dense, {planes, plan.source});
    }
    if (plan.input == plan.source)
      return planes;
    planes = toPhases(b, dense.getLoc(), planes, plan.source, plan.input);
    add(dense, {planes, plan.input});
    return planes;
  }
  void add(Value dense, PlaneValue planes) { values[dense].push_back(planes); }

private:
  /// Known planes, or what is computed element by element from known ones.
  Value find(OpBuilder &b, Value dense, const PlaneLayout &layout) {
    if (Value known = findKnown(b, dense, layout))
      return known;
    SmallVector<Value> leaves = elementwiseLeaves(dense), planes;
    for (Value leaf : leaves) {
      int64_t halo = zeroPoint(getQuantizedType(leaf.getType()));
      planes.push_back(find(b, leaf, layout.withHalo(halo)));
      if (!planes.back())
        return {};
    }
    if (leaves.empty())
      return {};
    Value codes = pairs.emit(b, dense, planes, layout.size());
    if (!codes)
      codes = rebuildOnPlanes(b, dense, leaves, planes, layout.size());
    add(dense, {codes, layout});
    return codes;
  }

  Value findKnown(OpBuilder &b, Value dense, const PlaneLayout &layout) {
    for (PlaneValue known : values.lookup(dense))
      if (known.layout == layout &&
          known.codes.getParentBlock() == b.getInsertionBlock())
        return known.codes;
    return {};
  }

  const PairFunctions &pairs;
  DenseMap<Value, SmallVector<PlaneValue>> values;
};
} // namespace

static LogicalResult lowerPlanes(IRRewriter &rewriter, const Layer &layer,
                                 const PlanePlan &plan, PlaneValues &values) {
  AccumulatingOpInterface op = layer.op;
  ArrayRef<Operation *> steps = plan.sumCodes.getSteps();
  Value codes = plan.sumCodes.getCodes();
  rewriter.setInsertionPoint(steps.front());
  Value input = values.get(rewriter, op.getActivations(), plan);
  FailureOr<Value> planes = emitPlanes(rewriter, layer, plan, input);
  if (failed(planes))
    return failure();
  Value dense = fromPlanes(rewriter, op.getLoc(), *planes, plan.output);
  dense = fromCodes(rewriter, dense, codes.getType());
  rewriter.replaceOp(steps.front(), dense);
  for (Operation *step : steps.drop_front())
    rewriter.eraseOp(step);
  rewriter.eraseOp(op);
  values.add(dense, {*planes, plan.output});
  return success();
}

/// Nothing after this pass knows accumulators.
static LogicalResult verifyNoAccumulators(ModuleOp module) {
  auto isAccumulator = [](Type type) {
    bool found = false;
    type.walk([&](AccumulatorType) { found = true; });
    return found;
  };
  WalkResult result = module.walk([&](Operation *op) {
    bool found = llvm::any_of(op->getResultTypes(), isAccumulator);
    for (Region &region : op->getRegions())
      for (Block &block : region)
        found |= llvm::any_of(block.getArgumentTypes(), isAccumulator);
    if (auto function = dyn_cast<func::FuncOp>(op))
      found |= isAccumulator(function.getFunctionType());
    if (!found)
      return WalkResult::advance();
    InFlightDiagnostic diagnostic =
        op->emitOpError("has an accumulator that is not the direct result of "
                        "a2q.matmul or a2q.conv_2d");
    diagnostic.attachNote() << "decode or requantize accumulators where they "
                               "are computed";
    return WalkResult::interrupt();
  });
  return failure(result.wasInterrupted());
}

namespace {
struct ConvertA2QToVector
    : a2q::impl::ConvertA2QToVectorBase<ConvertA2QToVector> {
  using ConvertA2QToVectorBase::ConvertA2QToVectorBase;

  void runOnOperation() override {
    std::optional<Isa> target = parseIsa(this->isa);
    if (!target) {
      getOperation().emitError()
          << "unknown isa '" << isa.getValue()
          << "', expected portable, avx2, avx512bw, avx512vnni or "
             "avx512vbmi";
      return signalPassFailure();
    }
    std::optional<Use> usePlanes = parseUse(planes);
    if (!usePlanes) {
      getOperation().emitError() << "planes is '" << planes.getValue()
                                 << "'; it takes auto, always or never";
      return signalPassFailure();
    }
    int64_t lookUpSums = llvm::StringSwitch<int64_t>(lookUps.getValue())
                             .Case("16", 16)
                             .Case("64", 64)
                             .Default(0);
    std::optional<Use> useLookUps =
        lookUpSums ? Use::WhenPossible : parseUse(lookUps);
    if (!useLookUps) {
      getOperation().emitError() << "look-ups is '" << lookUps.getValue()
                                 << "'; it takes auto, always, never, 16 or 64";
      return signalPassFailure();
    }
    if (!llvm::is_contained({0u, 8u, 16u, 32u}, lanes.getValue())) {
      getOperation().emitError()
          << "lanes of " << lanes.getValue() << " bits; there are 8, 16 and 32";
      return signalPassFailure();
    }
    SmallVector<AccumulatingOpInterface> ops;
    getOperation().walk([&](AccumulatingOpInterface op) {
      if (isa_and_nonnull<A2QDialect>(op->getDialect()))
        ops.push_back(op);
    });
    // Ranges are those of the program as it came.
    RangeAnalysis ranges(getOperation(), getAnalysis<RangeCache>());
    SmallVector<Layer> layers;
    for (AccumulatingOpInterface op : ops) {
      FailureOr<Layer> layer = failure();
      if (succeeded(verifyConsumers(op)))
        layer = collectLayer(op, ranges);
      if (failed(layer))
        return signalPassFailure();
      layers.push_back(std::move(*layer));
    }
    ChoiceOptions options;
    options.isa = *target;
    options.check = check;
    options.planes = *usePlanes;
    options.lookUps = *useLookUps;
    options.lookUpSums = lookUpSums;
    options.laneBits = lanes;
    std::vector<Choice> choices = chooseForms(layers, options);
    IRRewriter rewriter(&getContext());
    PairFunctions pairs(getOperation(), ranges, *target);
    PlaneValues values(pairs);
    for (auto [layer, choice] : llvm::zip_equal(layers, choices))
      if (failed(choice.planes
                     ? lowerPlanes(rewriter, layer, *choice.planes, values)
                     : lowerDense(rewriter, layer, choice.dense)))
        return signalPassFailure();
    if (failed(verifyNoAccumulators(getOperation())))
      return signalPassFailure();
    if (!check)
      return;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (failed(emitArgumentChecks(function)))
        return signalPassFailure();
  }
};
} // namespace
