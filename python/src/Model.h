//===- Model.h - Networks --------------------------------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_PYTHON_MODEL_H
#define A2Q_PYTHON_MODEL_H

#include "Errors.h"

#include "a2q/Analysis/Report.h"
#include "a2q/Calibration/Observe.h"
#include "a2q/Execution/Signature.h"
#include "a2q/Tools/Feeds.h"
#include "a2q/Tools/ModelLoader.h"
#include <nanobind/ndarray.h>

#include <memory>
#include <mutex>

namespace a2q::python {

/// One context and its lock. Models that come from each other share it; its
/// work is done without the interpreter's lock, which nothing takes while it
/// holds this one.
struct Session {
  std::mutex mutex;
  ModelContext context;
};

/// A network. Nothing changes it once it is made.
class Model {
public:
  Model(std::shared_ptr<Session> session,
        mlir::OwningOpRef<mlir::ModuleOp> module);
  Model(Model &&) = default;
  ~Model();

  /// Runs `work(module, diagnostics)` on the network, which it leaves as it is.
  template <typename Work> auto read(Work work) const {
    std::lock_guard lock(session->mutex);
    Diagnostics diagnostics(session->context.get());
    return work(*module, diagnostics);
  }

  /// The network that `work` makes of a copy.
  template <typename Work> Model derive(Work work) const {
    std::lock_guard lock(session->mutex);
    Diagnostics diagnostics(session->context.get());
    mlir::OwningOpRef<mlir::ModuleOp> copy(module.get().clone());
    work(*copy, diagnostics);
    return Model(session, std::move(copy));
  }

  Signature getSignature() const;
  /// The network as text, with the names of its layers.
  std::string print() const;

private:
  std::shared_ptr<Session> session;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

/// Shapes by the names of inputs; "" is the first input without one.
using Shapes = std::vector<std::pair<std::string, std::vector<int64_t>>>;
std::vector<InputShape> inputShapes(const Shapes &shapes);

/// Dense arrays of the interpreter's.
using Array =
    nanobind::ndarray<nanobind::ro, nanobind::c_contig, nanobind::device::cpu>;
using MutableArray =
    nanobind::ndarray<nanobind::c_contig, nanobind::device::cpu>;

/// Arrays bound to the inputs and outputs of a network, one for each in order:
/// of the signature's shapes, or all of them `runs` times as long along their
/// first dimension. Throws where they are not.
class Buffers {
public:
  Buffers(const Signature &signature, const std::vector<Array> &inputs,
          const std::vector<MutableArray> &outputs = {});

  int64_t getNumRuns() const { return runs; }
  /// The inputs of all runs.
  CalibrationData getData() const;
  /// Pointers for run number `run`.
  llvm::SmallVector<const void *> inputs(int64_t run) const;
  llvm::SmallVector<void *> outputs(int64_t run) const;

private:
  struct Buffer {
    char *data;
    size_t bytes; ///< of one run
  };
  int64_t runs = 1;
  llvm::SmallVector<Buffer> inputBuffers, outputBuffers;
};

/// The network of a report, the report as JSON and as a table.
struct Proof {
  Model model;
  std::string json, table;
};

/// (name, dtype, shape, (lo, hi) or None, meaning) of each tensor.
nanobind::list toPython(llvm::ArrayRef<TensorSpec> specs);

} // namespace a2q::python

#endif // A2Q_PYTHON_MODEL_H
