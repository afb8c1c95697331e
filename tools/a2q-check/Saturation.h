//===- Saturation.h - a2q-check --saturation --------------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_TOOLS_CHECK_SATURATION_H
#define A2Q_TOOLS_CHECK_SATURATION_H

#include "a2q/Analysis/SaturationReport.h"
#include "a2q/Tools/CompileOptions.h"
#include "a2q/Tools/SaturationCheck.h"
#include "llvm/Support/Error.h"

namespace a2q {

/// The third question of a2q-check: are the answers of other runtimes the same
/// on every x86?
struct SaturationCommand {
  llvm::cl::opt<bool> enabled{
      "saturation",
      llvm::cl::desc("which layers kernels made of pmaddubsw saturate; --isa "
                     "is then avx2 (the default), avx512, or one without such "
                     "kernels: avxvnni, avx512vnni, amx. Exit status 0: none, "
                     "1: some, 2: it is not known of some"),
      llvm::cl::init(false), llvm::cl::cat(getToolOptions())};
  llvm::cl::opt<std::string> witness{
      "witness",
      llvm::cl::desc("with --saturation: write an input of each unsafe layer "
                     "that loses the most, as .npy files"),
      llvm::cl::value_desc("folder"), llvm::cl::cat(getToolOptions())};
  llvm::cl::list<std::string> calibration{
      "calibration",
      llvm::cl::desc("with --saturation: ranges that activations take on this "
                     "data, in place of proven ones"),
      llvm::cl::value_desc("[name=]file.npy"), llvm::cl::cat(getToolOptions())};

  llvm::cl::opt<bool> byType{
      "by-type",
      llvm::cl::desc("with --saturation: read the layers of an .onnx file and "
                     "nothing else, with all codes that their types hold. For "
                     "dynamic quantization, and for operators that are not "
                     "supported"),
      llvm::cl::init(false), llvm::cl::cat(getToolOptions())};

  llvm::cl::opt<std::string> fix{
      "fix",
      llvm::cl::desc(
          "with --saturation and -o: write the model with its unsafe "
          "layers mended and proven. lossless (the default): no sum "
          "of a layer changes. all: weights change where a layer "
          "would grow by more than an eighth"),
      llvm::cl::value_desc("lossless|all"), llvm::cl::ValueOptional,
      llvm::cl::cat(getToolOptions())};
  llvm::cl::opt<std::string> output{
      "o", llvm::cl::desc("with --fix: the file to write"),
      llvm::cl::value_desc("mended.onnx"), llvm::cl::cat(getToolOptions())};

  /// An error when options have no meaning without --saturation.
  llvm::Error verifyAbsent() const;

  /// The exit status, after diagnostics where it is for bad input.
  llvm::Expected<int> run(llvm::StringRef model, const CompileOptions &compile,
                          const ShapeOption &shapes);

private:
  bool isFixing() const { return fix.getNumOccurrences() != 0; }
  llvm::Error verify(llvm::StringRef model, const CompileOptions &compile,
                     const ShapeOption &shapes) const;
  llvm::Error checkFiles(llvm::StringRef model,
                         const CompileOptions &compile) const;
  llvm::Expected<SaturationQuestion>
  makeQuestion(llvm::StringRef model, const CompileOptions &compile,
               const ShapeOption &shapes) const;
  llvm::Expected<bool> ask(ModelContext &context,
                           const SaturationQuestion &question,
                           SaturationOptions &options,
                           SaturationReport &report) const;
  llvm::Error write(SaturationReport &report, llvm::StringRef mended,
                    const CompileOptions &compile) const;
};

} // namespace a2q

#endif // A2Q_TOOLS_CHECK_SATURATION_H
