//===- SaturationCheck.cpp - Byte products of a model's layers ------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Tools/SaturationCheck.h"

#include "a2q/Frontend/ONNX/ByteLayers.h"
#include "a2q/Frontend/ONNX/Import.h"
#include "a2q/Transforms/Entry.h"
#include "mlir/IR/Verifier.h"

using namespace llvm;
using namespace a2q;

//===----------------------------------------------------------------------===//
// Ranges on data
//===----------------------------------------------------------------------===//

namespace {
/// The codes of one activation tensor, per index of the axis that terms follow.
class ObservedRange {
public:
  explicit ObservedRange(AccumulatingOpInterface op)
      : axis(op.getActivationAxis()) {
    auto quantized = getElementTypeOrSelf(op.getActivations().getType());
    auto type = dyn_cast<mlir::quant::QuantizedType>(quantized);
    isSigned = type ? type.isSigned() : !op.hasUnsignedActivations();
  }

  mlir::LogicalResult add(const TensorSpec &spec, const void *elements) {
    int64_t inner = 1, size = 1;
    if (axis >= 0) {
      size = spec.shape[axis];
      for (int64_t dim : ArrayRef(spec.shape).drop_front(axis + 1))
        inner *= dim;
    }
    if (sizeInBytes(spec.kind) != 1)
      return mlir::success(); // no bytes, and said so of the layer
    const auto *bytes = static_cast<const uint8_t *>(elements);
    bool fresh = seen.ranges.empty();
    if (fresh)
      seen = {SmallVector<Range, 1>(size), axis >= 0 && size > 1 ? axis : -1};
    SmallVector<bool> first(size, fresh);
    for (int64_t at = 0; at < spec.numElements(); ++at) {
      int64_t index = at / inner % size;
      int64_t code = isSigned ? static_cast<int8_t>(bytes[at]) : bytes[at];
      Range &range = seen.ranges[index];
      range = first[index] ? Range{code, code} : join(range, {code, code});
      first[index] = false;
    }
    return mlir::success();
  }

  const ElementRanges &get() const { return seen; }

private:
  int64_t axis;
  bool isSigned;
  ElementRanges seen;
};
} // namespace

/// Runs the network on the data. Fails with a diagnostic.
static mlir::LogicalResult observeRanges(mlir::ModuleOp module,
                                         DataBinder bindData,
                                         SaturationOptions &options,
                                         SaturationReport &report) {
  mlir::FailureOr<mlir::func::FuncOp> entry = findEntry(module);
  if (failed(entry))
    return mlir::failure();
  mlir::FailureOr<Signature> signature = getSignature(module);
  if (failed(signature))
    return mlir::failure();
  Expected<CalibrationData> data = bindData(*signature);
  if (!data)
    return mlir::emitError(mlir::UnknownLoc::get(module.getContext()))
           << toString(data.takeError());
  SmallVector<mlir::Value> values;
  std::vector<ObservedRange> ranges;
  SmallVector<mlir::Operation *> layers;
  entry->walk([&](AccumulatingOpInterface op) {
    if (!op.isAccumulating() || op->getBlock() != &entry->getBody().front())
      return;
    values.push_back(op.getActivations());
    ranges.emplace_back(op);
    layers.push_back(op);
  });
  if (failed(observe(
          *entry, values, *data,
          [&](size_t index, const TensorSpec &spec, const void *elements) {
            return ranges[index].add(spec, elements);
          })))
    return mlir::failure();
  for (auto [op, range] : zip_equal(layers, ranges))
    if (!range.get().ranges.empty())
      options.observed[op] = range.get();
  report.observedRuns = data->runs;
  return mlir::success();
}

//===----------------------------------------------------------------------===//
// Models
//===----------------------------------------------------------------------===//

/// The layers of a file alone. Fails with a diagnostic.
static mlir::LogicalResult checkByteLayers(MemoryBufferRef model,
                                           ModelContext &context,
                                           const SaturationOptions &options,
                                           SaturationReport &report) {
  ByteLayers bytes = importONNXByteLayers(model, context.get());
  if (!bytes.module || failed(mlir::verify(*bytes.module)))
    return mlir::failure();
  std::vector<LayerSaturation> read = checkSaturation(*bytes.module, options);
  auto next = read.begin();
  for (const ByteLayer &layer : bytes.layers) {
    if (layer.reason.empty()) {
      next->op = layer.op;
      report.layers.push_back(std::move(*next++));
      continue;
    }
    LayerSaturation &unknown = report.layers.emplace_back();
    unknown.name = layer.name;
    unknown.op = layer.op;
    unknown.reason = layer.reason;
    if (auto reason =
            reasonOfSafety(options.products, layer.hasUnsignedWeights)) {
      unknown.answer = SaturationAnswer::Safe;
      unknown.reason = reason->str();
    }
  }
  return mlir::success();
}

/// Takes back what is said of a layer for all codes of its type.
static void forgetRanges(LayerSaturation &layer, StringRef why) {
  if (layer.answer != SaturationAnswer::Unsafe)
    return;
  layer.answer = SaturationAnswer::Unknown;
  layer.reason = ("what its activations can be is not known, because " + why +
                  "; not all codes of their type are safe")
                     .str();
  layer.witness.reset();
}

/// Of a model that has what the importer does not support, layers that are safe
/// with all codes of their types are safe, and nothing is known of the others.
/// Fails where the file is no model, or `problem` is of another kind.
static mlir::LogicalResult
answerByType(MemoryBufferRef model, StringRef problem, ModelContext &context,
             const SaturationOptions &options, SaturationReport &report) {
  // Other errors are about what a model must not be, rather than about what is
  // supported, or constant.
  if (!problem.contains("support") && !problem.contains("constant"))
    return mlir::failure();
  {
    mlir::ScopedDiagnosticHandler silence(context.get(),
                                          [](mlir::Diagnostic &) {});
    if (failed(checkByteLayers(model, context, options, report)))
      return mlir::failure();
  }
  report.byType = true;
  for (LayerSaturation &layer : report.layers)
    forgetRanges(layer, "the model cannot be imported");
  return mlir::success();
}

/// Layers that the network has with real numbers, such as products of two
/// activations whose zero points are not 0. Runtimes multiply bytes there.
static void addRealLayers(MemoryBufferRef model, ModelContext &context,
                          const SaturationOptions &options,
                          SaturationReport &report) {
  SaturationReport bytes;
  mlir::ScopedDiagnosticHandler silence(context.get(),
                                        [](mlir::Diagnostic &) {});
  if (failed(checkByteLayers(model, context, options, bytes)))
    return;
  StringMap<SmallVector<LayerSaturation *>> known;
  for (LayerSaturation &layer : report.layers)
    known[layer.name].push_back(&layer);
  std::vector<LayerSaturation> real;
  for (LayerSaturation &layer : bytes.layers) {
    SmallVector<LayerSaturation *> &same = known[layer.name];
    if (!same.empty()) {
      LayerSaturation &own = *same.pop_back_val();
      // The network may have wider codes than the file.
      if (own.answer == SaturationAnswer::Unknown &&
          layer.answer != SaturationAnswer::Unsafe)
        own = std::move(layer);
      continue;
    }
    forgetRanges(layer, "the network has it with real numbers");
    real.push_back(std::move(layer));
  }
  llvm::move(real, std::back_inserter(report.layers));
}

static ImportOptions importOptions(const SaturationQuestion &question) {
  ImportOptions options;
  options.shapes = question.shapes;
  return options;
}

mlir::LogicalResult a2q::checkSaturation(MemoryBufferRef model,
                                         ModelContext &context,
                                         const SaturationQuestion &question,
                                         const SaturationOptions &options,
                                         SaturationReport &report) {
  if (report.byType)
    return checkByteLayers(model, context, options, report);
  mlir::OwningOpRef<mlir::ModuleOp> module =
      importONNX(model, context.get(), importOptions(question));
  if (!module)
    return mlir::failure();
  report.layers = checkSaturation(*module, options);
  addRealLayers(model, context, options, report);
  return mlir::success();
}

Expected<SaturationOptions>
a2q::makeOptions(const SaturationQuestion &question) {
  std::optional<ByteProducts> products = parseByteProducts(question.isa);
  if (!products)
    return createStringError("unknown instruction set '" + question.isa +
                             "', expected ssse3, avx2, avx512, avxvnni, "
                             "avx512vnni or amx");
  SaturationOptions options;
  options.products = *products;
  options.channelsFirst = StringRef(question.model).ends_with(".onnx");
  return options;
}

mlir::LogicalResult a2q::checkSaturation(ModelContext &context,
                                         const SaturationQuestion &question,
                                         SaturationOptions &options,
                                         SaturationReport &report,
                                         DataBinder bindData) {
  report.isa = question.isa;
  report.byType = question.byType;
  bool isONNX = StringRef(question.model).ends_with(".onnx");
  auto file = MemoryBuffer::getFile(question.model, /*IsText=*/false,
                                    /*RequiresNullTerminator=*/false);
  if (question.byType) {
    if (!file)
      return mlir::emitError(mlir::UnknownLoc::get(context.get()))
             << "'" << question.model
             << "': cannot be read: " << file.getError().message();
    return checkByteLayers((*file)->getMemBufferRef(), context, options,
                           report);
  }
  std::vector<mlir::Diagnostic> problems;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  {
    mlir::ScopedDiagnosticHandler capture(
        context.get(), [&](mlir::Diagnostic &diagnostic) {
          problems.push_back(std::move(diagnostic));
        });
    module = context.load(question.model, importOptions(question));
  }
  if (!module && isONNX && file && !bindData && !problems.empty()) {
    std::string problem = problems.front().str();
    if (succeeded(answerByType((*file)->getMemBufferRef(), problem, context,
                               options, report))) {
      mlir::emitWarning(problems.front().getLocation()) << problem;
      return mlir::success();
    }
  }
  for (mlir::Diagnostic &problem : problems)
    context->getDiagEngine().emit(std::move(problem));
  if (!module)
    return mlir::failure();
  if (bindData && failed(observeRanges(*module, bindData, options, report)))
    return mlir::failure();
  report.layers = checkSaturation(*module, options);
  if (isONNX && file)
    addRealLayers((*file)->getMemBufferRef(), context, options, report);
  return mlir::success();
}
