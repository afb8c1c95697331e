//===- Saturation.cpp - a2q-check --saturation ----------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Saturation.h"

#include "a2q/Analysis/HTMLReport.h"
#include "a2q/Analysis/Report.h"
#include "a2q/Frontend/ONNX/Mend.h"
#include "a2q/Support/OutputFile.h"
#include "a2q/Tools/Feeds.h"
#include "a2q/Tools/FileNames.h"
#include "a2q/Tools/SaturationCheck.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
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

Error SaturationCommand::verify(StringRef model, const CompileOptions &compile,
                                const ShapeOption &shapes) const {
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
  if (!shapes.texts.empty() && (byType || !model.ends_with(".onnx")))
    return createStringError(
        "--shape is for .onnx files, and not for --by-type");
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
// Mending
//===----------------------------------------------------------------------===//

/// The bytes of the mended file, and its own report in `report`; empty after a
/// diagnostic.
static Expected<std::string> mend(const SaturationQuestion &question,
                                  StringRef output, MendMode mode,
                                  ModelContext &context,
                                  const SaturationOptions &options,
                                  SaturationReport &report) {
  std::vector<LayerToMend> layers;
  for (const LayerSaturation &layer : report.layers)
    if (layer.answer != SaturationAnswer::Unknown)
      layers.push_back({layer.name, layer.answer == SaturationAnswer::Safe,
                        layer.channelCodes, layer.shift});
  auto file = MemoryBuffer::getFile(question.model, /*IsText=*/false,
                                    /*RequiresNullTerminator=*/false);
  if (!file)
    return createStringError("'" + question.model +
                             "': cannot be read: " + file.getError().message());
  report.fix = {mode == MendMode::All ? "all" : "lossless", output.str(), {}};
  if (llvm::all_of(layers, [](const LayerToMend &l) { return l.isSafe; }))
    return (*file)->getBuffer().str();
  Expected<MendedModel> mended =
      mendONNX((*file)->getMemBufferRef(), layers, mode, context.get());
  if (!mended)
    return mended.takeError();
  for (const LayerMend &layer : mended->layers)
    if (!layer.refusal.empty())
      return createStringError("layer '" + layer.name + "' cannot be mended: " +
                               layer.refusal + "; nothing is written");
  // What is written is what is proven.
  SaturationReport proof;
  proof.byType = report.byType;
  if (failed(checkSaturation(MemoryBufferRef(mended->bytes, output), context,
                             question, options, proof)))
    return createStringError(
        "the mended model cannot be read back; nothing is written");
  StringSet<> unknown;
  for (const LayerSaturation &layer : report.layers)
    if (layer.answer == SaturationAnswer::Unknown)
      unknown.insert(layer.name);
  for (const LayerSaturation &layer : proof.layers)
    if (layer.answer == SaturationAnswer::Unsafe ||
        (layer.answer == SaturationAnswer::Unknown &&
         !unknown.contains(layer.name)))
      return createStringError("layer '" + layer.name + "' is " +
                               toString(layer.answer) +
                               " after mending; nothing is written");
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
    contents = reportForFile(std::move(contents), report.model, compile.report);
    files.push_back({compile.report, contents});
  }
  if (report.fix)
    files.push_back({output, mended});
  return writeOutputFiles(files);
}

/// The files that the command line names, bound to the inputs.
static Expected<Feeds> bindFiles(const Signature &signature,
                                 ArrayRef<std::string> files) {
  Expected<std::vector<NamedArray>> inputs = readInputs(files);
  if (!inputs)
    return inputs.takeError();
  return Feeds::bind(signature, std::move(*inputs), {});
}

Error SaturationCommand::checkFiles(StringRef model,
                                    const CompileOptions &compile) const {
  FileNames files;
  files.read(model, "the model");
  files.readArrays(calibration, "calibration data");
  compile.addFiles(files);
  if (isFixing())
    files.write(output);
  return files.check();
}

Expected<SaturationQuestion>
SaturationCommand::makeQuestion(StringRef model, const CompileOptions &compile,
                                const ShapeOption &shapes) const {
  SaturationQuestion question;
  question.model = model.str();
  if (!compile.isa.empty())
    question.isa = compile.isa;
  question.byType = byType;
  Expected<ImportOptions> import = shapes.parse();
  if (!import)
    return import.takeError();
  question.shapes = std::move(import->shapes);
  return question;
}

/// False after a diagnostic.
Expected<bool> SaturationCommand::ask(ModelContext &context,
                                      const SaturationQuestion &question,
                                      SaturationOptions &options,
                                      SaturationReport &report) const {
  std::optional<Feeds> feeds;
  auto bind = [&](const Signature &signature) -> Expected<CalibrationData> {
    Expected<Feeds> bound = bindFiles(signature, calibration);
    if (!bound)
      return bound.takeError();
    feeds = std::move(*bound);
    CalibrationData data;
    data.runs = feeds->getNumRuns();
    for (const void *array : feeds->inputs(0))
      data.arrays.push_back(static_cast<const char *>(array));
    return data;
  };
  report.model = question.model;
  if (succeeded(checkSaturation(context, question, options, report,
                                calibration.empty() ? DataBinder() : bind)))
    return true;
  if (!byType && StringRef(question.model).ends_with(".onnx"))
    errs() << "note: --by-type looks at the layers of the file alone\n";
  return false;
}

/// The exit status.
static int statusOf(SaturationAnswer answer) {
  switch (answer) {
  case SaturationAnswer::Safe:
    return 0;
  case SaturationAnswer::Unsafe:
    return 1;
  case SaturationAnswer::Unknown:
    return 2;
  }
  return 1;
}

Expected<int> SaturationCommand::run(StringRef model,
                                     const CompileOptions &compile,
                                     const ShapeOption &shapes) {
  if (Error error = verify(model, compile, shapes))
    return error;
  if (Error error = checkFiles(model, compile))
    return std::move(error);
  Expected<SaturationQuestion> question = makeQuestion(model, compile, shapes);
  if (!question)
    return question.takeError();
  Expected<SaturationOptions> options = makeOptions(*question);
  if (!options)
    return options.takeError();
  ModelContext context;
  SaturationReport report;
  Expected<bool> isAnswered = ask(context, *question, *options, report);
  if (!isAnswered || !*isAnswered)
    return isAnswered ? Expected<int>(1) : isAnswered.takeError();
  std::string mended;
  if (isFixing()) {
    // Mends that serve all codes of the types serve those that occur.
    if (report.byType && !question->byType) {
      question->byType = true;
      report = SaturationReport();
      report.model = model.str();
      if (failed(checkSaturation(context, *question, *options, report)))
        return 1;
    }
    Expected<std::string> bytes = mend(
        *question, output, fix == "all" ? MendMode::All : MendMode::Lossless,
        context, *options, report);
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
  return statusOf(report.answer());
}
