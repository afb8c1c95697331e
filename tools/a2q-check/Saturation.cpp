//===- Saturation.cpp - a2q-check --saturation ----------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Saturation.h"

#include "a2q/Analysis/Report.h"
#include "a2q/Analysis/SaturationReport.h"
#include "a2q/Calibration/Observe.h"
#include "a2q/Frontend/ONNX/ByteLayers.h"
#include "a2q/Support/OutputFile.h"
#include "a2q/Tools/Feeds.h"
#include "a2q/Tools/ModelLoader.h"
#include "a2q/Transforms/Entry.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"

using namespace llvm;
using namespace a2q;

Error SaturationCommand::verifyAbsent() const {
  if (!witness.empty() || !calibration.empty() || byType)
    return createStringError("--witness, --calibration and --by-type are for "
                             "--saturation");
  return Error::success();
}

static Error verify(const CompileOptions &compile) {
  if (compile.chooses() || compile.checkAccumulators ||
      !compile.targetCpu.empty())
    return createStringError(
        "--saturation is about other runtimes: --accumulator, --constrain, "
        "--check-accumulators and --target-cpu have no meaning with it");
  std::string problem;
  if (!compile.report.empty() &&
      failed(checkReportName(compile.report, problem)))
    return createStringError(problem);
  return Error::success();
}

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

/// Runs the network on the data. False after a diagnostic.
static Expected<bool> observeRanges(mlir::ModuleOp module,
                                    ArrayRef<std::string> files,
                                    SaturationOptions &options, int64_t &runs) {
  mlir::FailureOr<mlir::func::FuncOp> entry = findEntry(module);
  if (failed(entry))
    return false;
  mlir::FailureOr<Signature> signature = getSignature(module);
  if (failed(signature))
    return false;
  Expected<std::vector<NamedArray>> inputs = readInputs(files);
  if (!inputs)
    return inputs.takeError();
  Expected<Feeds> feeds = Feeds::bind(*signature, std::move(*inputs), {});
  if (!feeds)
    return feeds.takeError();
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
  CalibrationData data;
  data.runs = runs = feeds->getNumRuns();
  for (const void *array : feeds->inputs(0))
    data.arrays.push_back(static_cast<const char *>(array));
  if (failed(observe(
          *entry, values, data,
          [&](size_t index, const TensorSpec &spec, const void *elements) {
            return ranges[index].add(spec, elements);
          })))
    return false;
  for (auto [op, range] : zip_equal(layers, ranges))
    if (!range.get().ranges.empty())
      options.observed[op] = range.get();
  return true;
}

//===----------------------------------------------------------------------===//
// Witnesses
//===----------------------------------------------------------------------===//

/// The folder and "3-conv1.npy"; names of layers may hold anything.
static std::string witnessFile(StringRef folder, size_t index, StringRef name) {
  std::string clean;
  for (char c : name)
    clean += isAlnum(c) || c == '.' || c == '-' || c == '_' ? c : '_';
  SmallString<128> path(folder);
  sys::path::append(path, formatv("{0}-{1}.npy", index, clean).str());
  return path.str().str();
}

static Error writeWitnesses(SaturationReport &report, StringRef folder) {
  if (std::error_code problem = sys::fs::create_directories(folder))
    return fileError(folder, problem.message());
  report.witnessFiles.resize(report.layers.size());
  for (auto [index, layer] : enumerate(report.layers)) {
    if (!layer.witness)
      continue;
    NpyArray array;
    array.kind = layer.witness->isSigned ? ElementKind::I8 : ElementKind::U8;
    array.shape = layer.witness->shape;
    for (int64_t code : layer.witness->codes)
      array.data.push_back(static_cast<char>(code));
    std::string path = witnessFile(folder, index, layer.name);
    if (Error error = writeNpy(path, array))
      return error;
    report.witnessFiles[index] = path;
  }
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Layers alone
//===----------------------------------------------------------------------===//

/// False after a diagnostic.
static bool checkByteLayers(StringRef model, ModelContext &context,
                            const SaturationOptions &options,
                            SaturationReport &report) {
  ByteLayers bytes = importONNXByteLayers(model, context.get());
  if (!bytes.module || failed(mlir::verify(*bytes.module)))
    return false;
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
  }
  return true;
}

Expected<int> SaturationCommand::run(StringRef model,
                                     const CompileOptions &compile) {
  if (Error error = verify(compile))
    return error;
  SaturationReport report;
  report.isa = compile.isa.empty() ? "avx2" : compile.isa.getValue();
  std::optional<ByteProducts> products = parseByteProducts(report.isa);
  if (!products)
    return createStringError("unknown instruction set '" + report.isa +
                             "', expected ssse3, avx2, avx512, avxvnni, "
                             "avx512vnni or amx");
  if (byType && (!model.ends_with(".onnx") || !calibration.empty()))
    return createStringError("--by-type is for .onnx files, without "
                             "--calibration");
  FileNames files;
  files.read(model, "the model");
  files.readArrays(calibration, "calibration data");
  compile.addFiles(files);
  if (Error error = files.check())
    return std::move(error);
  ModelContext context;
  SaturationOptions options;
  options.products = *products;
  options.channelsFirst = model.ends_with(".onnx");
  mlir::OwningOpRef<mlir::ModuleOp> module;
  if (byType) {
    report.byType = true;
    if (!checkByteLayers(model, context, options, report))
      return 1;
  } else {
    module = context.load(model);
    if (!module) {
      if (model.ends_with(".onnx"))
        errs() << "note: --by-type looks at the layers of the file alone\n";
      return 1;
    }
  }
  if (!calibration.empty()) {
    int64_t runs = 0;
    Expected<bool> observed =
        observeRanges(*module, calibration, options, runs);
    if (!observed)
      return observed.takeError();
    if (!*observed)
      return 1;
    report.observedRuns = runs;
  }
  if (!byType)
    report.layers = checkSaturation(*module, options);
  if (!witness.empty())
    if (Error error = writeWitnesses(report, witness))
      return error;
  if (!compile.report.empty()) {
    std::string contents;
    raw_string_ostream os(contents);
    writeJSON(report, os);
    if (Error error = writeOutputFile(compile.report, contents))
      return fileError(compile.report, toString(std::move(error)));
  }
  if (compile.report != "-")
    writeTable(report, outs());
  switch (report.answer()) {
  case SaturationAnswer::Safe:
    return 0;
  case SaturationAnswer::Unsafe:
    return 1;
  case SaturationAnswer::Unknown:
    return 2;
  }
  return 1;
}
