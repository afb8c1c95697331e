//===- Saturation.cpp - a2q-check --saturation ----------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Saturation.h"

#include "a2q/Analysis/Report.h"
#include "a2q/Calibration/Observe.h"
#include "a2q/Frontend/ONNX/ByteLayers.h"
#include "a2q/Frontend/ONNX/Import.h"
#include "a2q/Frontend/ONNX/Mend.h"
#include "a2q/Support/OutputFile.h"
#include "a2q/Tools/Feeds.h"
#include "a2q/Tools/FileNames.h"
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
  if (!witness.empty() || !calibration.empty() || byType || isFixing() ||
      output.getNumOccurrences())
    return createStringError("--witness, --calibration, --by-type, --fix and "
                             "-o are for --saturation");
  return Error::success();
}

Error SaturationCommand::verify(StringRef model,
                                const CompileOptions &compile) const {
  if (compile.chooses() || compile.checkAccumulators ||
      !compile.targetCpu.empty())
    return createStringError(
        "--saturation is about other runtimes: --accumulator, --constrain, "
        "--check-accumulators and --target-cpu have no meaning with it");
  std::string problem;
  if (!compile.report.empty() &&
      failed(checkReportName(compile.report, problem)))
    return createStringError(problem);
  if (byType && (!model.ends_with(".onnx") || !calibration.empty()))
    return createStringError("--by-type is for .onnx files, without "
                             "--calibration");
  if (!isFixing())
    return output.getNumOccurrences() ? createStringError("-o is for --fix")
                                      : Error::success();
  if (!fix.empty() && fix != "lossless" && fix != "all")
    return createStringError("--fix=" + fix +
                             " is unknown, expected lossless or all");
  if (output.empty())
    return createStringError("--fix needs -o and the name of a file to write");
  if (!model.ends_with(".onnx"))
    return createStringError("--fix is for .onnx files");
  if (!calibration.empty())
    return createStringError(
        "--fix needs proven ranges: what was observed with "
        "--calibration need not hold for other data");
  if (!witness.empty())
    return createStringError("--witness is for unsafe layers, which --fix "
                             "leaves none of");
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
// Models
//===----------------------------------------------------------------------===//

/// The layers alone. False after a diagnostic.
static bool checkByteLayers(MemoryBufferRef model, ModelContext &context,
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

/// The layers of an .onnx file in memory. False after a diagnostic.
static bool checkONNX(MemoryBufferRef model, ModelContext &context,
                      const SaturationOptions &options,
                      SaturationReport &report) {
  if (report.byType)
    return checkByteLayers(model, context, options, report);
  mlir::OwningOpRef<mlir::ModuleOp> module = importONNX(model, context.get());
  if (module)
    report.layers = checkSaturation(*module, options);
  return module.get() != nullptr;
}

static Expected<std::unique_ptr<MemoryBuffer>> readFile(StringRef path) {
  auto buffer = MemoryBuffer::getFile(path, /*IsText=*/false,
                                      /*RequiresNullTerminator=*/false);
  if (!buffer)
    return createStringError(
        "'" + path + "': cannot be read: " + buffer.getError().message());
  return std::move(*buffer);
}

//===----------------------------------------------------------------------===//
// Mending
//===----------------------------------------------------------------------===//

/// The bytes of the mended file, and its own report in `report`; empty after a
/// diagnostic.
static Expected<std::string> mend(StringRef model, StringRef output,
                                  MendMode mode, ModelContext &context,
                                  const SaturationOptions &options,
                                  SaturationReport &report) {
  std::vector<LayerToMend> unsafe;
  for (const LayerSaturation &layer : report.layers)
    if (layer.answer == SaturationAnswer::Unsafe)
      unsafe.push_back({layer.name, layer.channelCodes, layer.shift});
  Expected<std::unique_ptr<MemoryBuffer>> file = readFile(model);
  if (!file)
    return file.takeError();
  report.fix = {mode == MendMode::All ? "all" : "lossless", output.str(), {}};
  if (unsafe.empty())
    return (*file)->getBuffer().str();
  Expected<MendedModel> mended =
      mendONNX((*file)->getMemBufferRef(), unsafe, mode, context.get());
  if (!mended)
    return mended.takeError();
  for (const LayerMend &layer : mended->layers)
    if (!layer.refusal.empty())
      return createStringError("layer '" + layer.name + "' cannot be mended: " +
                               layer.refusal + "; nothing is written");
  // What is written is what is proven.
  SaturationReport proof;
  proof.byType = report.byType;
  if (!checkONNX(MemoryBufferRef(mended->bytes, output), context, options,
                 proof))
    return createStringError(
        "the mended model cannot be read back; nothing is written");
  for (const LayerSaturation &layer : proof.layers)
    if (layer.answer == SaturationAnswer::Unsafe)
      return createStringError("layer '" + layer.name +
                               "' is unsafe after mending; nothing is written");
  report.layers = std::move(proof.layers);
  report.fix->layers = std::move(mended->layers);
  return std::move(mended->bytes);
}

Error SaturationCommand::write(SaturationReport &report, StringRef mended,
                               const CompileOptions &compile) const {
  std::string contents;
  SmallVector<OutputContents> files;
  if (!compile.report.empty()) {
    raw_string_ostream os(contents);
    writeJSON(report, os);
    files.push_back({compile.report, contents});
  }
  if (report.fix)
    files.push_back({output, mended});
  return writeOutputFiles(files);
}

Expected<int> SaturationCommand::run(StringRef model,
                                     const CompileOptions &compile) {
  if (Error error = verify(model, compile))
    return error;
  SaturationReport report;
  report.isa = compile.isa.empty() ? "avx2" : compile.isa.getValue();
  report.byType = byType;
  std::optional<ByteProducts> products = parseByteProducts(report.isa);
  if (!products)
    return createStringError("unknown instruction set '" + report.isa +
                             "', expected ssse3, avx2, avx512, avxvnni, "
                             "avx512vnni or amx");
  FileNames files;
  files.read(model, "the model");
  files.readArrays(calibration, "calibration data");
  compile.addFiles(files);
  if (isFixing())
    files.write(output);
  if (Error error = files.check())
    return std::move(error);
  ModelContext context;
  SaturationOptions options;
  options.products = *products;
  options.channelsFirst = model.ends_with(".onnx");
  mlir::OwningOpRef<mlir::ModuleOp> module;
  if (byType) {
    Expected<std::unique_ptr<MemoryBuffer>> file = readFile(model);
    if (!file)
      return file.takeError();
    if (!checkByteLayers((*file)->getMemBufferRef(), context, options, report))
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
  std::string mended;
  if (isFixing()) {
    Expected<std::string> bytes =
        mend(model, output, fix == "all" ? MendMode::All : MendMode::Lossless,
             context, options, report);
    if (!bytes)
      return bytes.takeError();
    mended = std::move(*bytes);
  }
  if (!witness.empty())
    if (Error error = writeWitnesses(report, witness))
      return error;
  if (Error error = write(report, mended, compile))
    return error;
  // Standard output belongs to what goes there.
  if (compile.report != "-" && output != "-")
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
