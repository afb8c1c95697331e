//===- Model.cpp - Networks -----------------------------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Model.h"
#include "Bindings.h"
#include "Compiled.h"

#include "a2q/Calibration/QuantizeNetwork.h"
#include "a2q/Conversion/EstimateCosts.h"
#include "a2q/Frontend/ONNX/Export.h"
#include "a2q/Support/OutputFile.h"
#include "a2q/Tools/Compile.h"
#include "a2q/Tools/ReferenceRun.h"
#include "a2q/Transforms/Entry.h"
#include "a2q/Transforms/Passes.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

namespace nb = nanobind;
using namespace a2q;
using namespace a2q::python;

//===----------------------------------------------------------------------===//
// Networks
//===----------------------------------------------------------------------===//

Model::Model(std::shared_ptr<Session> session,
             mlir::OwningOpRef<mlir::ModuleOp> module)
    : session(std::move(session)), module(std::move(module)) {}

Model::~Model() {
  if (!session)
    return;
  std::lock_guard lock(session->mutex);
  module = nullptr;
}

Signature Model::getSignature() const {
  return read([](mlir::ModuleOp module, Diagnostics &diagnostics) {
    return diagnostics.check(a2q::getSignature(module));
  });
}

std::string Model::print() const {
  return read([](mlir::ModuleOp module, Diagnostics &) {
    std::string text;
    llvm::raw_string_ostream os(text);
    mlir::OpPrintingFlags flags;
    // Names of layers are locations.
    flags.enableDebugInfo();
    module->print(os, flags);
    return text;
  });
}

std::vector<InputShape> a2q::python::inputShapes(const Shapes &shapes) {
  std::vector<InputShape> result;
  for (const auto &[name, sizes] : shapes)
    result.push_back(
        {name, llvm::SmallVector<int64_t>(sizes.begin(), sizes.end())});
  return result;
}

static Model loadModel(const std::string &path, std::optional<int64_t> batch,
                       const Shapes &shapes) {
  auto session = std::make_shared<Session>();
  Diagnostics diagnostics(session->context.get());
  ImportOptions options;
  options.batch = batch;
  options.shapes = inputShapes(shapes);
  mlir::OwningOpRef<mlir::ModuleOp> module =
      session->context.load(path, options);
  if (!module)
    diagnostics.raise();
  return Model(session, std::move(module));
}

static Model parseModel(const std::string &text) {
  auto session = std::make_shared<Session>();
  Diagnostics diagnostics(session->context.get());
  auto module = mlir::parseSourceString<mlir::ModuleOp>(
      text, session->context.get(), "<text>");
  if (!module)
    diagnostics.raise();
  return Model(session, std::move(module));
}

/// As ONNX where the name says so, else as text.
static void saveModel(const Model &model, const std::string &path,
                      bool asQONNX) {
  std::string contents;
  if (!llvm::StringRef(path).ends_with(".onnx"))
    contents = model.print();
  else
    contents = model.read([&](mlir::ModuleOp module, Diagnostics &diagnostics) {
      auto entry = diagnostics.check(findEntry(module));
      return diagnostics.check(
          exportONNX(entry, asQONNX ? ONNXForm::QONNX : ONNXForm::QDQ));
    });
  if (llvm::Error error = writeOutputFile(path, contents))
    throw Failure("'" + path +
                  "': cannot be written: " + llvm::toString(std::move(error)));
}

//===----------------------------------------------------------------------===//
// Proving and choosing
//===----------------------------------------------------------------------===//

/// The report of the module, as it is.
static std::pair<std::string, std::string> describeModel(const Model &model) {
  return model.read([](mlir::ModuleOp module, Diagnostics &diagnostics) {
    Report report = diagnostics.check(buildReport(module));
    estimateCosts(module, report);
    std::pair<std::string, std::string> forms;
    llvm::raw_string_ostream json(forms.first), table(forms.second);
    writeJSON(report, json);
    writeTable(report, table);
    return forms;
  });
}

static Model proveModel(const Model &model, const std::string &bound) {
  return model.derive([&](mlir::ModuleOp module, Diagnostics &diagnostics) {
    diagnostics.check(proveClaims(module));
    diagnostics.check(inferNarrowest(module, bound));
  });
}

static Model stageModel(const Model &model, unsigned inner,
                        int64_t granularity) {
  return model.derive([&](mlir::ModuleOp module, Diagnostics &diagnostics) {
    mlir::PassManager pm(module.getContext());
    A2QStageAccumulatorsOptions options;
    options.inner = inner;
    options.granularity = granularity;
    pm.addPass(createA2QStageAccumulators(options));
    pm.addPass(createA2QVerifyAccumulators());
    diagnostics.check(pm.run(module));
  });
}

static Model constrainModel(const Model &model, unsigned width, int64_t tile,
                            const std::string &method, const std::string &bound,
                            const std::string &overrides) {
  return model.derive([&](mlir::ModuleOp module, Diagnostics &diagnostics) {
    mlir::PassManager pm(module.getContext());
    A2QConstrainWeightsOptions options;
    options.width = width;
    options.tile = tile;
    options.method = method;
    options.bound = bound;
    options.overridesFile = overrides;
    pm.addPass(createA2QConstrainWeights(options));
    pm.addPass(createA2QVerifyAccumulators());
    diagnostics.check(pm.run(module));
  });
}

//===----------------------------------------------------------------------===//
// Data
//===----------------------------------------------------------------------===//

namespace {
struct QuantizeArguments {
  unsigned weightBits = 8, activationBits = 8;
  std::optional<unsigned> borderBits;
  std::string range = "mse";
  bool equalize = false, channelScales = false, keepMoments = false;
  /// Those of the above that were given and are for layers of floats.
  std::vector<std::string> floatOptions;
  std::optional<unsigned> width;
  int64_t tile = 0;
  std::string method = "optimal", bound;
  std::string overrides;
};
} // namespace

static QuantizationOptions makeOptions(const QuantizeArguments &arguments,
                                       mlir::ModuleOp module,
                                       Diagnostics &diagnostics) {
  QuantizationOptions options;
  options.weightBits = arguments.weightBits;
  options.activationBits = arguments.activationBits;
  options.borderBits = arguments.borderBits;
  std::optional<RangeRule> range = parseRangeRule(arguments.range);
  if (!range)
    throw Failure("range is '" + arguments.range +
                  "'; it takes mse, min-max, percentile:P with P above 0 and "
                  "at most 100, or kl");
  options.range = *range;
  options.equalize = arguments.equalize;
  options.channelScales = arguments.channelScales;
  options.keepMoments = arguments.keepMoments;
  options.floatOptions = arguments.floatOptions;
  if (arguments.width) {
    ConstraintSpec constraint;
    constraint.width = *arguments.width;
    constraint.tile = arguments.tile;
    constraint.method = arguments.method;
    constraint.bound = arguments.bound;
    options.constraint = constraint;
  }
  if (!arguments.overrides.empty())
    options.overrides = diagnostics.check(ConstraintOverrides::read(
        arguments.overrides, module.getLoc(), quantizationKeys()));
  return options;
}

static Model quantizeModel(const Model &model, const std::vector<Array> &arrays,
                           const QuantizeArguments &arguments) {
  Buffers buffers(model.getSignature(), arrays);
  CalibrationData data = buffers.getData();
  return model.derive([&](mlir::ModuleOp module, Diagnostics &diagnostics) {
    diagnostics.check(quantizeNetwork(
        module, data, makeOptions(arguments, module, diagnostics)));
  });
}

static void runReference(const Model &model, const std::vector<Array> &inputs,
                         const std::vector<MutableArray> &outputs,
                         const std::string &emulate) {
  std::optional<Emulation> emulation;
  if (!emulate.empty()) {
    emulation = Emulation::parse(emulate);
    if (!emulation)
      throw Failure("emulate is '" + emulate +
                    "'; it takes wrap:P or saturate:P, P from 1 to 64");
  }
  Signature signature = model.getSignature();
  Buffers buffers(signature, inputs, outputs);
  model.read([&](mlir::ModuleOp module, Diagnostics &diagnostics) {
    ReferenceNetwork network =
        diagnostics.check(ReferenceNetwork::prepare(module));
    for (int64_t run = 0; run < buffers.getNumRuns(); ++run)
      if (llvm::Error error = network.run(signature, buffers.inputs(run),
                                          buffers.outputs(run), emulation))
        diagnostics.raise(llvm::toString(std::move(error)));
  });
}

//===----------------------------------------------------------------------===//
// Bindings
//===----------------------------------------------------------------------===//

void a2q::python::bindModel(nb::module_ &module) {
  using Release = nb::call_guard<nb::gil_scoped_release>;
  module.def("load", &loadModel, nb::arg("path"), nb::arg("batch").none(),
             nb::arg("shapes"), Release());
  module.def("parse", &parseModel, nb::arg("text"), Release());

  nb::class_<QuantizeArguments>(module, "QuantizeArguments")
      .def(nb::init<>())
      .def_rw("weight_bits", &QuantizeArguments::weightBits)
      .def_rw("activation_bits", &QuantizeArguments::activationBits)
      .def_rw("border_bits", &QuantizeArguments::borderBits, nb::arg().none())
      .def_rw("range", &QuantizeArguments::range)
      .def_rw("equalize", &QuantizeArguments::equalize)
      .def_rw("channel_scales", &QuantizeArguments::channelScales)
      .def_rw("keep_moments", &QuantizeArguments::keepMoments)
      .def_rw("float_options", &QuantizeArguments::floatOptions)
      .def_rw("width", &QuantizeArguments::width, nb::arg().none())
      .def_rw("tile", &QuantizeArguments::tile)
      .def_rw("method", &QuantizeArguments::method)
      .def_rw("bound", &QuantizeArguments::bound)
      .def_rw("overrides", &QuantizeArguments::overrides);

  nb::class_<Model>(module, "Model")
      .def(
          "inputs",
          [](const Model &model) {
            return toPython(model.getSignature().inputs);
          },
          nb::sig("def inputs(self) -> list[tuple[str, str, tuple[int, ...], "
                  "tuple[int, int] | None, str]]"))
      .def(
          "outputs",
          [](const Model &model) {
            return toPython(model.getSignature().outputs);
          },
          nb::sig("def outputs(self) -> list[tuple[str, str, tuple[int, ...], "
                  "tuple[int, int] | None, str]]"))
      .def(
          "text", [](const Model &model) { return toText(model.print()); },
          nb::sig("def text(self) -> str"))
      .def("save", &saveModel, nb::arg("path"), nb::arg("as_qonnx"), Release())
      .def(
          "report",
          [](const Model &model) {
            std::pair<std::string, std::string> forms;
            {
              nb::gil_scoped_release release;
              forms = describeModel(model);
            }
            return nb::make_tuple(toText(forms.first), toText(forms.second));
          },
          nb::sig("def report(self) -> tuple[str, str]"))
      .def("prove", &proveModel, nb::arg("bound"), Release())
      .def("stage", &stageModel, nb::arg("inner"), nb::arg("granularity"),
           Release())
      .def("constrain", &constrainModel, nb::arg("width"), nb::arg("tile"),
           nb::arg("method"), nb::arg("bound"), nb::arg("overrides"), Release())
      .def("quantize", &quantizeModel, nb::arg("arrays"), nb::arg("arguments"),
           Release())
      .def("compile", &compile, nb::arg("arguments"), Release())
      .def("run_reference", &runReference, nb::arg("inputs"),
           nb::arg("outputs"), nb::arg("emulate"), Release());
}
