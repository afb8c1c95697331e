//===- a2q-run.cpp - Run a network on arrays --------------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Execution/ObjectFile.h"
#include "a2q/Execution/Program.h"
#include "a2q/Tools/Accuracy.h"
#include "a2q/Tools/CompileOptions.h"
#include "a2q/Tools/Feeds.h"
#include "a2q/Tools/ModelLoader.h"
#include "a2q/Tools/ReferenceRun.h"
#include "llvm/Support/Format.h"

#include <chrono>
#include <functional>
#include <memory>

using namespace llvm;
using namespace a2q;

namespace {

struct RunOptions {
  cl::opt<std::string> model{cl::Positional, cl::Required,
                             cl::desc("<model.onnx or model.mlir>"),
                             cl::cat(getToolOptions())};
  cl::list<std::string> inputs{"input", cl::desc("an input, a .npy file"),
                               cl::value_desc("[name=]x.npy"),
                               cl::cat(getToolOptions())};
  cl::list<std::string> outputs{"output", cl::desc("where to write an output"),
                                cl::value_desc("[name=]y.npy"),
                                cl::cat(getToolOptions())};
  cl::opt<std::string> labels{
      "labels",
      cl::desc("print how often the largest element of the first output is at "
               "the index that this file names"),
      cl::value_desc("labels.npy"), cl::cat(getToolOptions())};
  cl::opt<unsigned> repeat{
      "repeat", cl::desc("run this often and print the median time"),
      cl::value_desc("N"), cl::init(0), cl::cat(getToolOptions())};
  cl::opt<bool> reference{
      "reference",
      cl::desc("evaluate with the slow, exact reference instead of compiling"),
      cl::init(false), cl::cat(getToolOptions())};
  cl::opt<std::string> emulate{
      "emulate",
      cl::desc("evaluate as --reference does, but keep every sum in a register "
               "of P bits that wraps or saturates, whatever is proven"),
      cl::value_desc("wrap:P|saturate:P"), cl::cat(getToolOptions())};
  CompileOptions compile;

  /// What --emulate asks for, if anything.
  Expected<std::optional<Emulation>> getEmulation() const;
  Error checkFiles() const;
};

} // namespace

Expected<std::optional<Emulation>> RunOptions::getEmulation() const {
  if (!emulate.getNumOccurrences())
    return std::nullopt;
  if (std::optional<Emulation> emulation = Emulation::parse(emulate))
    return emulation;
  return createStringError("--emulate is '" + emulate +
                           "'; it takes wrap:P or saturate:P, P from 1 to 64");
}

/// Nothing that is read may be written, and nothing twice.
Error RunOptions::checkFiles() const {
  FileNames files;
  files.read(model, "the model");
  files.readArrays(inputs, "an input");
  files.read(labels, "the file of labels");
  for (const std::string &output : outputs)
    files.write(NamedFile::parse(output).path);
  compile.addFiles(files);
  return files.check();
}

/// What computes outputs from inputs: a compiled program or the reference.
using Network = std::function<Error(ArrayRef<const void *>, ArrayRef<void *>)>;

/// Runs the network for each part of the feeds, once.
static Error runOnce(const Network &network, Feeds &feeds) {
  for (int64_t part = 0; part < feeds.getNumRuns(); ++part)
    if (Error error = network(feeds.inputs(part), feeds.outputs(part)))
      return error;
  return Error::success();
}

static Error measure(const Network &network, Feeds &feeds, unsigned repeat) {
  std::vector<double> micros(repeat);
  for (double &time : micros) {
    auto begin = std::chrono::steady_clock::now();
    if (Error error = runOnce(network, feeds))
      return error;
    time = std::chrono::duration<double, std::micro>(
               std::chrono::steady_clock::now() - begin)
               .count();
  }
  llvm::sort(micros);
  auto quantile = [&](size_t percent) {
    return micros[(repeat - 1) * percent / 100];
  };
  outs() << format("time: median %.3f us, quartiles %.3f and %.3f us, %u runs",
                   quantile(50), quantile(25), quantile(75), repeat);
  if (int64_t samples = feeds.getLeadingSize(); samples > 1)
    outs() << format(", %.3f us per sample", quantile(50) / samples);
  outs() << '\n';
  return Error::success();
}

/// The network of this model; none after a diagnostic.
static Expected<Network> prepare(const RunOptions &options,
                                 mlir::ModuleOp module,
                                 const Signature &signature,
                                 const CpuTarget &target,
                                 std::optional<Emulation> emulation) {
  if (failed(options.compile.prove(module, target)))
    return Network();
  if (options.reference || emulation) {
    Expected<ReferenceNetwork> prepared = ReferenceNetwork::prepare(module);
    if (!prepared)
      return prepared.takeError();
    auto network = std::make_shared<ReferenceNetwork>(std::move(*prepared));
    return [=](ArrayRef<const void *> inputs, ArrayRef<void *> outputs) {
      return network->run(signature, inputs, outputs, emulation);
    };
  }
  if (failed(options.compile.lower(module, target, "model")))
    return Network();
  auto object = compileToObject(module, target);
  if (!object)
    return object.takeError();
  Expected<Program> loaded = Program::load(std::move(*object), "model");
  if (!loaded)
    return loaded.takeError();
  auto program = std::make_shared<Program>(std::move(*loaded));
  return [=](ArrayRef<const void *> inputs, ArrayRef<void *> outputs) -> Error {
    if (int status = program->run(inputs, outputs))
      return createStringError(Program::describe(status));
    return Error::success();
  };
}

/// True when all went well; false after a diagnostic.
static Expected<bool> run(const RunOptions &options) {
  Expected<CpuTarget> target = options.compile.getTarget();
  if (!target)
    return target.takeError();
  if (std::string missing = target->missingOnHost(); !missing.empty())
    return createStringError("code for target-cpu '" + target->getCpu() +
                             "' cannot run here: this processor lacks " +
                             missing);
  Expected<std::optional<Emulation>> emulation = options.getEmulation();
  if (!emulation)
    return emulation.takeError();
  if (Error error = options.checkFiles())
    return std::move(error);
  auto arrays = readInputs(options.inputs);
  if (!arrays)
    return arrays.takeError();
  ModelContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module =
      context.loadForInputs(options.model, shapesOf(*arrays));
  if (!module)
    return false;
  mlir::FailureOr<Signature> signature = getSignature(*module);
  if (failed(signature))
    return false;
  Expected<Feeds> feeds =
      Feeds::bind(*signature, std::move(*arrays), options.outputs);
  if (!feeds)
    return feeds.takeError();
  Expected<Network> network =
      prepare(options, *module, *signature, *target, *emulation);
  if (!network)
    return network.takeError();
  if (!*network)
    return false;

  if (Error error = runOnce(*network, *feeds))
    return std::move(error);
  if (options.repeat)
    if (Error error = measure(*network, *feeds, options.repeat))
      return std::move(error);
  if (!options.labels.empty()) {
    Expected<Accuracy> accuracy =
        measureAccuracy(feeds->getOutput(0), options.labels);
    if (!accuracy)
      return accuracy.takeError();
    outs() << format("accuracy: %.2f %% (%lld of %lld)\n",
                     100.0 * accuracy->correct / accuracy->total,
                     (long long)accuracy->correct, (long long)accuracy->total);
  }
  if (Error error = feeds->writeOutputs())
    return std::move(error);
  return true;
}

int main(int argc, char **argv) {
  RunOptions options;
  parseCommandLine(argc, argv, "a2q-run: compile a network and run it\n");
  return exitStatus(run(options));
}
