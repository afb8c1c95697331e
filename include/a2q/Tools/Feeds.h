//===- Feeds.h - Arrays for the inputs and outputs of a network -*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_TOOLS_FEEDS_H
#define A2Q_TOOLS_FEEDS_H

#include "a2q/Frontend/ONNX/Import.h"
#include "a2q/Tools/Npy.h"

namespace a2q {

/// One `[name=]file.npy` of a command line. Without a name it stands for the
/// first input or output that no other names.
struct NamedFile {
  std::string name, path;

  static NamedFile parse(llvm::StringRef argument);
};

struct NamedArray {
  NamedFile file;
  NpyArray array;
};

llvm::Expected<std::vector<NamedArray>>
readInputs(llvm::ArrayRef<std::string> arguments);

/// A dense row-major array, wherever it lies.
struct ArrayView {
  ElementKind kind;
  llvm::ArrayRef<int64_t> shape;
  llvm::ArrayRef<char> data;
};

/// How often the network runs for this array: its shape is the input's, or a
/// multiple of it along the first dimension. An error when element type or
/// shape do not fit, or when an integer is outside of the range that the
/// network's proofs assume.
llvm::Expected<int64_t> bindInput(const TensorSpec &spec,
                                  const ArrayView &array);

/// The shapes that a model with open sizes is to have for these arrays.
std::vector<InputShape> shapesOf(llvm::ArrayRef<NamedArray> arrays);

/// Arrays bound to the inputs and outputs of a network.
///
/// Input arrays have the network's shapes, or all of them are n times as long
/// along their first dimension; then the network runs n times and the outputs
/// are n times as long as well.
class Feeds {
public:
  /// Checks names, element types, shapes, and that every integer lies in the
  /// range that the network's proofs assume.
  static llvm::Expected<Feeds> bind(const Signature &signature,
                                    std::vector<NamedArray> inputs,
                                    llvm::ArrayRef<std::string> outputFiles);

  int64_t getNumRuns() const { return runs; }
  /// Elements along the first dimension of the first input, 1 for scalars.
  int64_t getLeadingSize() const;
  /// Pointers for run number `run`.
  llvm::SmallVector<const void *> inputs(int64_t run) const;
  llvm::SmallVector<void *> outputs(int64_t run);

  const NpyArray &getOutput(size_t index) const { return outputArrays[index]; }
  /// Writes the outputs that have a file.
  llvm::Error writeOutputs() const;

private:
  int64_t runs = 1;
  std::vector<NpyArray> inputArrays, outputArrays;
  /// Per output the file to write, or empty.
  std::vector<std::string> outputPaths;
};

} // namespace a2q

#endif // A2Q_TOOLS_FEEDS_H
