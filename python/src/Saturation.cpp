//===- Saturation.cpp - Byte products of other runtimes -------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Bindings.h"
#include "Model.h"

#include "a2q/Analysis/HTMLReport.h"
#include "a2q/Tools/SaturationCheck.h"
#include "llvm/Support/raw_ostream.h"
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

namespace nb = nanobind;
using namespace a2q;
using namespace a2q::python;

/// The report as JSON and as a table. `arrays` are calibration data; none for
/// ranges that are proven.
static std::pair<std::string, std::string>
answerQuestion(const SaturationQuestion &question,
               const std::vector<Array> &arrays) {
  ModelContext context;
  Diagnostics diagnostics(context.get());
  auto bind =
      [&](const Signature &signature) -> llvm::Expected<CalibrationData> {
    return Buffers(signature, arrays).getData();
  };
  SaturationOptions options = unwrap(makeOptions(question));
  SaturationReport report;
  diagnostics.check(checkSaturation(context, question, options, report,
                                    arrays.empty() ? DataBinder() : bind));
  std::pair<std::string, std::string> forms;
  llvm::raw_string_ostream json(forms.first), table(forms.second);
  writeJSON(report, json);
  writeTable(report, table);
  return forms;
}

static std::string makePage(const std::string &json, const std::string &model) {
  std::string page;
  llvm::raw_string_ostream os(page);
  writeHTML(json, model, os);
  return page;
}

void a2q::python::bindSaturation(nb::module_ &module) {
  module.def("page", &makePage, nb::arg("json"), nb::arg("model"));
  module.def(
      "check_saturation",
      [](const std::string &path, const std::string &isa, bool byType,
         const Shapes &shapes, const std::vector<Array> &arrays) {
        std::pair<std::string, std::string> forms;
        {
          nb::gil_scoped_release release;
          forms =
              answerQuestion({path, isa, byType, inputShapes(shapes)}, arrays);
        }
        return nb::make_tuple(toText(forms.first), toText(forms.second));
      },
      nb::arg("path"), nb::arg("isa"), nb::arg("by_type"), nb::arg("shapes"),
      nb::arg("arrays"),
      nb::sig("def check_saturation(path: str, isa: str, by_type: bool, "
              "shapes: Sequence[tuple[str, Sequence[int]]], "
              "arrays: Sequence[object]) -> tuple[str, str]"));
}
