//===- Target.cpp - The processor that code is generated for ----*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Execution/Target.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"

using namespace llvm;
using namespace a2q;

static const llvm::Target &getHostArchitecture(const Triple &triple) {
  static const llvm::Target *target = [&] {
    InitializeNativeTarget();
    InitializeNativeTargetAsmPrinter();
    InitializeNativeTargetAsmParser(); // of inline assembly
    std::string error;
    const llvm::Target *found = TargetRegistry::lookupTarget(triple, error);
    if (!found)
      reportFatalUsageError(Twine(error));
    return found;
  }();
  return *target;
}

static std::unique_ptr<MCSubtargetInfo>
createSubtarget(const CpuTarget &target) {
  return std::unique_ptr<MCSubtargetInfo>(
      getHostArchitecture(target.getTriple())
          .createMCSubtargetInfo(target.getTriple(), target.getCpu(),
                                 target.getFeatures()));
}

CpuTarget CpuTarget::host() {
  CpuTarget target;
  target.triple = Triple(sys::getProcessTriple());
  target.cpu = sys::getHostCPUName().str();
  SmallVector<std::string> features;
  for (const auto &feature : sys::getHostCPUFeatures())
    features.push_back((feature.second ? "+" : "-") + feature.first().str());
  llvm::sort(features);
  target.features = join(features, ",");
  return target;
}

Expected<CpuTarget> CpuTarget::get(StringRef name) {
  CpuTarget target = host();
  if (name.empty() || name == "host")
    return target;
  CpuTarget generic = target;
  generic.cpu = generic.features = "";
  std::unique_ptr<MCSubtargetInfo> subtarget = createSubtarget(generic);
  SmallVector<StringRef> known;
  for (const SubtargetSubTypeKV &cpu : subtarget->getAllProcessorDescriptions())
    known.push_back(cpu.Key);
  if (!is_contained(known, name))
    return createStringError("unknown target-cpu '" + name + "'; known are " +
                             join(known, ", "));
  target.cpu = name.str();
  target.features = "";
  // LLVM knows 32-bit processors by the same list and stops the process when
  // it is to generate 64-bit code for one.
  if (target.triple.getArch() == Triple::x86_64 && !target.has("64bit"))
    return createStringError("target-cpu '" + name +
                             "' has no 64-bit mode; x86-64 is the oldest that "
                             "has");
  return target;
}

bool CpuTarget::has(StringRef feature) const {
  return createSubtarget(*this)->checkFeatures(("+" + feature).str());
}

SmallVector<StringRef>
CpuTarget::filterFeatures(ArrayRef<StringRef> features) const {
  SmallVector<StringRef> kept;
  std::unique_ptr<MCSubtargetInfo> subtarget = createSubtarget(*this);
  for (StringRef feature : features)
    if (subtarget->checkFeatures(("+" + feature).str()))
      kept.push_back(feature);
  return kept;
}

namespace {

/// An instruction set of the kernels and the LLVM features that it needs.
struct IsaFacts {
  StringLiteral name;
  ArrayRef<StringLiteral> features;
};

} // namespace

static ArrayRef<IsaFacts> isaTable() {
  static constexpr StringLiteral avx2[] = {"avx2"};
  static constexpr StringLiteral avx512bw[] = {"avx512bw", "avx512vl"};
  static constexpr StringLiteral vnni[] = {"avx512bw", "avx512vl",
                                           "avx512vnni"};
  static constexpr StringLiteral vbmi[] = {"avx512bw", "avx512vl", "avx512vnni",
                                           "avx512vbmi"};
  static const IsaFacts table[] = {{"portable", {}},
                                   {"avx2", avx2},
                                   {"avx512bw", avx512bw},
                                   {"avx512vnni", vnni},
                                   {"avx512vbmi", vbmi}};
  return table;
}

StringRef CpuTarget::bestIsa() const {
  for (const IsaFacts &isa : reverse(isaTable()))
    if (lackingFor(isa.name).empty())
      return isa.name;
  llvm_unreachable("portable needs nothing");
}

bool CpuTarget::isKnownIsa(StringRef isa) {
  return any_of(isaTable(),
                [&](const IsaFacts &facts) { return facts.name == isa; });
}

StringRef CpuTarget::lackingFor(StringRef isa) const {
  for (const IsaFacts &facts : isaTable())
    if (facts.name == isa)
      for (StringRef feature : facts.features)
        if (!has(feature))
          return feature;
  return "";
}

std::string CpuTarget::missingOnHost() const {
  std::unique_ptr<MCSubtargetInfo> subtarget = createSubtarget(*this);
  for (const auto &feature : sys::getHostCPUFeatures())
    if (!feature.second &&
        subtarget->checkFeatures(("+" + feature.first()).str()))
      return feature.first().str();
  return "";
}

std::unique_ptr<TargetMachine>
CpuTarget::createTargetMachine(CodeGenOptLevel effort) const {
  return std::unique_ptr<TargetMachine>(
      getHostArchitecture(triple).createTargetMachine(
          triple, cpu, features, TargetOptions(), Reloc::PIC_, std::nullopt,
          effort));
}
