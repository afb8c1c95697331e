//===- CompileOptions.h - What the tools do with a network ------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_TOOLS_COMPILEOPTIONS_H
#define A2Q_TOOLS_COMPILEOPTIONS_H

#include "a2q/Analysis/Report.h"
#include "a2q/Frontend/ONNX/Import.h"
#include "a2q/Tools/Compile.h"
#include "a2q/Tools/FileNames.h"
#include "llvm/Support/CommandLine.h"

namespace a2q {

/// What --help lists. LLVM's libraries bring some hundred options of their own.
llvm::cl::OptionCategory &getToolOptions();

/// Makes a name free that LLVM's libraries gave to an option of their own.
void releaseOption(llvm::StringRef name);

/// Reads the command line. Ends the process after a diagnostic, --help or
/// --version.
void parseCommandLine(int argc, char **argv, llvm::StringRef overview);

/// The value of --constrain, WIDTH[xTILE][:METHOD[:BOUND]]; methods and bounds
/// are not looked up. Nothing where it has another form, for which
/// `constraintError` has the words.
std::optional<ConstraintSpec> parseConstraint(llvm::StringRef text);
llvm::Error constraintError(llvm::StringRef text);

/// The options that the tools share, and the passes that they stand for. A
/// tool's main constructs them before it parses its command line.
class CompileOptions {
public:
  llvm::cl::opt<std::string> accumulator{
      "accumulator",
      llvm::cl::desc(
          "accumulators: auto, 32, 16 or 8. A number splits sums, without "
          "changing them, into stages whose inner accumulators have that "
          "width. auto is 32 where the processor has VNNI, else 16; with "
          "--constrain it is what the constraint asks for. given "
          "trusts the types in the model and needs --check-accumulators"),
      llvm::cl::value_desc("width"), llvm::cl::init("auto"),
      llvm::cl::cat(getToolOptions())};
  llvm::cl::opt<std::string> constrain{
      "constrain",
      llvm::cl::desc("change weights so that each sum of TILE products, or of "
                     "all, fits WIDTH bits; the method is optimal by default"),
      llvm::cl::value_desc("WIDTH[xTILE][:METHOD[:BOUND]]"),
      llvm::cl::cat(getToolOptions())};
  llvm::cl::opt<std::string> constrainOverrides{
      "constrain-overrides",
      llvm::cl::desc("constraints of single layers, by their names in the "
                     "report: {\"conv1\": {\"width\": 12, \"tile\": 144, "
                     "\"method\": \"a2q-plus\"}, \"fc\": {\"skip\": true}}"),
      llvm::cl::value_desc("file.json"), llvm::cl::cat(getToolOptions())};
  llvm::cl::opt<std::string> targetCpu{
      "target-cpu",
      llvm::cl::desc("processor to generate code for (default: this one)"),
      llvm::cl::value_desc("name"), llvm::cl::cat(getToolOptions())};
  llvm::cl::opt<std::string> isa{
      "isa",
      llvm::cl::desc("instructions that kernels use: portable, avx2, "
                     "avx512bw, avx512vnni or avx512vbmi (default: the best "
                     "that the processor has)"),
      llvm::cl::value_desc("name"), llvm::cl::cat(getToolOptions())};
  llvm::cl::opt<std::string> planes{
      "planes",
      llvm::cl::desc("layers that add and subtract planes instead of "
                     "multiplying: auto (where that is faster, default), "
                     "always (where it is possible), never"),
      llvm::cl::value_desc("when"), llvm::cl::init("auto"),
      llvm::cl::cat(getToolOptions())};
  llvm::cl::opt<std::string> lookUps{
      "look-ups",
      llvm::cl::desc(
          "layers of weights of one or two bits that look sums up "
          "in tables instead of multiplying: auto (where that is "
          "faster, default), always (where it is possible), never; 16, "
          "64: always, in tables of so many"),
      llvm::cl::value_desc("when"), llvm::cl::init("auto"),
      llvm::cl::cat(getToolOptions())};
  llvm::cl::opt<bool> checkAccumulators{
      "check-accumulators",
      llvm::cl::desc("generate code that stops when an accumulator leaves what "
                     "its type promises"),
      llvm::cl::init(false), llvm::cl::cat(getToolOptions())};
  llvm::cl::opt<std::string> report{
      "report", llvm::cl::desc("write a report of all accumulators"),
      llvm::cl::value_desc("file.json|file.html"),
      llvm::cl::cat(getToolOptions())};

  /// The files that these options name.
  void addFiles(FileNames &files) const;

  /// The processor; an error when its name is unknown, or when another option
  /// has no meaning or asks for what the processor lacks.
  llvm::Expected<CpuTarget> getTarget() const;

  /// Whether the command line asks for accumulators or weights in words.
  bool chooses() const;

  /// Constrains weights if asked to, then chooses and proves accumulators.
  /// Fails with a diagnostic.
  mlir::LogicalResult choose(mlir::ModuleOp module,
                             const CpuTarget &target) const;

  /// Writes the report if asked to. Fails with a diagnostic.
  mlir::LogicalResult writeReport(mlir::ModuleOp module,
                                  const Report &facts) const;

  /// Both of the above.
  mlir::LogicalResult prove(mlir::ModuleOp module,
                            const CpuTarget &target) const;

  /// From a proven network to the LLVM dialect. Fails with a diagnostic.
  mlir::LogicalResult lower(mlir::ModuleOp module, const CpuTarget &target,
                            llvm::StringRef prefix, unsigned threads = 1) const;

private:
  llvm::Error verify(const CpuTarget &target) const;
  AccumulatorChoice getChoice() const;
};

/// --shape of tools that have no arrays to take shapes from. A tool's main
/// constructs it before it parses its command line.
struct ShapeOption {
  llvm::cl::list<std::string> texts{
      "shape",
      llvm::cl::desc("shape of an input that an .onnx file leaves open; the "
                     "first input where no name is given"),
      llvm::cl::value_desc("[NAME=]1x3x48x480"),
      llvm::cl::cat(getToolOptions())};

  llvm::Expected<ImportOptions> parse() const;
};

/// Prints "error: ..." and returns the exit status 1.
int reportError(llvm::Error error);

/// The exit status of a tool: 0 when all went well; 1 for false, which comes
/// after a diagnostic, and for an error, which is printed.
int exitStatus(llvm::Expected<bool> result);

} // namespace a2q

#endif // A2Q_TOOLS_COMPILEOPTIONS_H
