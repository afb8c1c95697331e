//===- Compiled.cpp - Networks as programs --------------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Compiled.h"
#include "Bindings.h"

#include "a2q/Execution/ObjectFile.h"
#include "a2q/Support/OutputFile.h"
#include "a2q/Target/CHeader.h"
#include "a2q/Tools/Compile.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

namespace nb = nanobind;
using namespace a2q;
using namespace a2q::python;

//===----------------------------------------------------------------------===//
// Compiling
//===----------------------------------------------------------------------===//

static AccumulatorChoice parseAccumulator(const CompileArguments &arguments) {
  AccumulatorChoice choice;
  choice.isa = arguments.isa;
  if (arguments.accumulator == "proven")
    choice.kind = AccumulatorChoice::Proven;
  else if (!llvm::StringRef(arguments.accumulator)
                .getAsInteger(10, choice.width))
    choice.kind = AccumulatorChoice::Width;
  return choice;
}

/// The processor; throws when it is unknown or lacks instructions asked for.
static CpuTarget getTarget(const CompileArguments &arguments) {
  CpuTarget target = unwrap(CpuTarget::get(arguments.targetCpu));
  const std::string &isa = arguments.isa;
  if (isa.empty())
    return target;
  if (!CpuTarget::isKnownIsa(isa))
    throw Failure(
        "isa is '" + isa +
        "'; it takes portable, avx2, avx512bw, avx512vnni or avx512vbmi");
  if (llvm::StringRef lacking = target.lackingFor(isa); !lacking.empty())
    throw Failure("isa '" + isa + "' needs " + lacking.str() +
                  ", which the processor '" + target.getCpu().str() +
                  "' lacks");
  return target;
}

Compiled a2q::python::compile(const Model &model,
                              const CompileArguments &arguments) {
  CpuTarget target = getTarget(arguments);
  std::optional<std::string> prefix = makeCPrefix(arguments.prefix);
  if (!prefix || *prefix != arguments.prefix)
    throw Failure("'" + arguments.prefix +
                  "' cannot begin the name of a C function; give another "
                  "prefix");
  LoweringChoice lowering;
  lowering.targetCpu = arguments.targetCpu;
  lowering.isa = arguments.isa;
  lowering.checkAccumulators = arguments.checkAccumulators;
  lowering.prefix = arguments.prefix;
  std::unique_ptr<llvm::MemoryBuffer> object;
  Signature signature = model.getSignature();
  model.derive([&](mlir::ModuleOp module, Diagnostics &diagnostics) {
    diagnostics.check(
        chooseAccumulators(module, parseAccumulator(arguments), target));
    diagnostics.check(lowerNetwork(module, lowering, target));
    object = diagnostics.check(compileToObject(module, target));
  });
  Compiled compiled(std::move(signature), std::move(object), arguments);
  compiled.missing = target.missingOnHost();
  if (compiled.missing.empty())
    compiled.loadProgram();
  return compiled;
}

Compiled::Compiled(Signature signature,
                   std::unique_ptr<llvm::MemoryBuffer> object,
                   const CompileArguments &arguments)
    : signature(std::move(signature)), object(std::move(object)),
      arguments(arguments) {}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

/// What the first failed check of this thread's run said.
static thread_local std::string failedCheck;

static void keepFailedCheck(const char *layer, int64_t channel, int64_t stage,
                            int64_t value, int64_t lo, int64_t hi) {
  if (!failedCheck.empty())
    return;
  llvm::raw_string_ostream os(failedCheck);
  if (stage < 0)
    os << "element " << channel << " of " << layer << " is " << value
       << ", the model promises [" << lo << ", " << hi << "]";
  else
    os << "accumulator of layer '" << layer << "', channel " << channel
       << ", stage " << stage << " holds " << value << ", its type promises ["
       << lo << ", " << hi << "]";
}

void Compiled::loadProgram() {
  program.emplace(unwrap(Program::load(
      llvm::MemoryBuffer::getMemBufferCopy(object->getBuffer(), "program"),
      arguments.prefix, &keepFailedCheck)));
}

/// One that no other thread uses while this lives.
class Compiled::Workspace {
public:
  Workspace(Pool &pool, size_t size) : pool(pool) {
    {
      std::lock_guard lock(pool.mutex);
      if (!pool.idle.empty()) {
        memory = std::move(pool.idle.back());
        pool.idle.pop_back();
      }
    }
    if (!memory)
      memory = std::make_unique<char[]>(size);
  }
  ~Workspace() {
    std::lock_guard lock(pool.mutex);
    pool.idle.push_back(std::move(memory));
  }
  void *get() { return memory.get(); }

private:
  Pool &pool;
  std::unique_ptr<char[]> memory;
};

void Compiled::run(const std::vector<Array> &inputs,
                   const std::vector<MutableArray> &outputs) const {
  if (!program)
    throw Failure("this code cannot run here: this processor lacks " + missing);
  Buffers buffers(signature, inputs, outputs);
  Workspace workspace(*pool, program->getWorkspaceSize());
  failedCheck.clear();
  for (int64_t run = 0; run < buffers.getNumRuns(); ++run) {
    int status = program->run(buffers.inputs(run), buffers.outputs(run),
                              workspace.get());
    if (status)
      throw Failure(Program::describe(status));
    if (!failedCheck.empty())
      throw Failure(failedCheck);
  }
}

void Compiled::save(const std::string &objectPath,
                    const std::string &headerPath) const {
  std::string header;
  llvm::raw_string_ostream os(header);
  writeCHeader(os, signature, arguments.prefix, arguments.checkAccumulators);
  OutputContents files[] = {{objectPath, object->getBuffer()},
                            {headerPath, header}};
  check(writeOutputFiles(files));
}

//===----------------------------------------------------------------------===//
// Bindings
//===----------------------------------------------------------------------===//

void a2q::python::bindCompiled(nb::module_ &module) {
  using Release = nb::call_guard<nb::gil_scoped_release>;
  nb::class_<CompileArguments>(module, "CompileArguments")
      .def(nb::init<>())
      .def_rw("accumulator", &CompileArguments::accumulator)
      .def_rw("target_cpu", &CompileArguments::targetCpu)
      .def_rw("isa", &CompileArguments::isa)
      .def_rw("check_accumulators", &CompileArguments::checkAccumulators)
      .def_rw("prefix", &CompileArguments::prefix);

  nb::class_<Compiled>(module, "Compiled")
      .def(
          "inputs",
          [](const Compiled &compiled) {
            return toPython(compiled.getSignature().inputs);
          },
          nb::sig("def inputs(self) -> list[tuple[str, str, tuple[int, ...], "
                  "tuple[int, int] | None, str]]"))
      .def(
          "outputs",
          [](const Compiled &compiled) {
            return toPython(compiled.getSignature().outputs);
          },
          nb::sig("def outputs(self) -> list[tuple[str, str, tuple[int, ...], "
                  "tuple[int, int] | None, str]]"))
      .def_ro("missing", &Compiled::missing)
      .def("run", &Compiled::run, nb::arg("inputs"), nb::arg("outputs"),
           Release())
      .def("save", &Compiled::save, nb::arg("object"), nb::arg("header"),
           Release());
}
