//===- Target.h - The processor that code is generated for ------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_EXECUTION_TARGET_H
#define A2Q_EXECUTION_TARGET_H

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/CodeGen.h"
#include "llvm/Support/Error.h"
#include "llvm/TargetParser/Triple.h"

#include <memory>
#include <string>

namespace llvm {
class TargetMachine;
}

namespace a2q {

/// A processor: the one this program runs on, or a named one of the same
/// architecture.
class CpuTarget {
public:
  /// The host, with the features that it really has.
  static CpuTarget host();
  /// The processor `name`; empty or "host" is the host. The error for an
  /// unknown name lists the known ones.
  static llvm::Expected<CpuTarget> get(llvm::StringRef name);

  const llvm::Triple &getTriple() const { return triple; }
  llvm::StringRef getCpu() const { return cpu; }
  llvm::StringRef getFeatures() const { return features; }

  /// Whether the processor has an LLVM feature such as "avx2".
  bool has(llvm::StringRef feature) const;
  /// Those of `features` that the processor has.
  llvm::SmallVector<llvm::StringRef>
  filterFeatures(llvm::ArrayRef<llvm::StringRef> features) const;
  /// The best of the instruction sets that kernels know: portable, avx2,
  /// avx512bw, avx512vnni or avx512vbmi.
  llvm::StringRef bestIsa() const;
  static bool isKnownIsa(llvm::StringRef isa);
  /// The first feature of a known instruction set that the processor lacks, or
  /// empty.
  llvm::StringRef lackingFor(llvm::StringRef isa) const;
  /// A feature that the code may use and the host lacks, or empty.
  std::string missingOnHost() const;

  std::unique_ptr<llvm::TargetMachine>
  createTargetMachine(llvm::CodeGenOptLevel effort) const;

private:
  llvm::Triple triple;
  std::string cpu;
  std::string features;
};

} // namespace a2q

#endif // A2Q_EXECUTION_TARGET_H
