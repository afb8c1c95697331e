//===- CpuCheck.cpp - Whether a processor can run the code ------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Transforms/CpuCheck.h"

#include "llvm/ADT/STLExtras.h"

#include <map>
#include <tuple>

using namespace mlir;

namespace {

enum Register { EAX, EBX, ECX, EDX };

/// A bit of what `cpuid` answers, and the state in XCR0 that the operating
/// system must save for it.
struct Feature {
  StringRef name;
  uint32_t leaf, subleaf;
  Register reg;
  unsigned bit;
  uint32_t state;
};

constexpr uint32_t ymm = 0x6, zmm = 0xe6, tiles = 0x60000;

constexpr Feature table[] = {
    {"sse3", 1, 0, ECX, 0, 0},
    {"pclmul", 1, 0, ECX, 1, 0},
    {"ssse3", 1, 0, ECX, 9, 0},
    {"fma", 1, 0, ECX, 12, ymm},
    {"cx16", 1, 0, ECX, 13, 0},
    {"sse4.1", 1, 0, ECX, 19, 0},
    {"sse4.2", 1, 0, ECX, 20, 0},
    {"movbe", 1, 0, ECX, 22, 0},
    {"popcnt", 1, 0, ECX, 23, 0},
    {"aes", 1, 0, ECX, 25, 0},
    {"avx", 1, 0, ECX, 28, ymm},
    {"f16c", 1, 0, ECX, 29, ymm},
    {"bmi", 7, 0, EBX, 3, 0},
    {"avx2", 7, 0, EBX, 5, ymm},
    {"bmi2", 7, 0, EBX, 8, 0},
    {"avx512f", 7, 0, EBX, 16, zmm},
    {"avx512dq", 7, 0, EBX, 17, zmm},
    {"adx", 7, 0, EBX, 19, 0},
    {"avx512ifma", 7, 0, EBX, 21, zmm},
    {"avx512cd", 7, 0, EBX, 28, zmm},
    {"sha", 7, 0, EBX, 29, 0},
    {"avx512bw", 7, 0, EBX, 30, zmm},
    {"avx512vl", 7, 0, EBX, 31, zmm},
    {"avx512vbmi", 7, 0, ECX, 1, zmm},
    {"avx512vbmi2", 7, 0, ECX, 6, zmm},
    {"gfni", 7, 0, ECX, 8, 0},
    {"vaes", 7, 0, ECX, 9, ymm},
    {"vpclmulqdq", 7, 0, ECX, 10, ymm},
    {"avx512vnni", 7, 0, ECX, 11, zmm},
    {"avx512bitalg", 7, 0, ECX, 12, zmm},
    {"avx512vpopcntdq", 7, 0, ECX, 14, zmm},
    {"avx512vp2intersect", 7, 0, EDX, 8, zmm},
    {"amx-bf16", 7, 0, EDX, 22, tiles},
    {"avx512fp16", 7, 0, EDX, 23, zmm},
    {"amx-tile", 7, 0, EDX, 24, tiles},
    {"amx-int8", 7, 0, EDX, 25, tiles},
    {"avxvnni", 7, 1, EAX, 4, ymm},
    {"avx512bf16", 7, 1, EAX, 5, zmm},
    {"avxifma", 7, 1, EAX, 23, ymm},
    {"avxvnniint8", 7, 1, EDX, 4, ymm},
    {"avxneconvert", 7, 1, EDX, 5, ymm},
    {"avxvnniint16", 7, 1, EDX, 10, ymm},
    {"lzcnt", 0x80000001, 0, ECX, 5, 0},
    {"sse4a", 0x80000001, 0, ECX, 6, 0},
    {"xop", 0x80000001, 0, ECX, 11, ymm},
    {"fma4", 0x80000001, 0, ECX, 16, ymm},
    {"tbm", 0x80000001, 0, ECX, 21, 0},
};

/// The bits that must be set in one register of one answer.
using Answer = std::tuple<uint32_t, uint32_t, unsigned>;
using Demands = std::map<Answer, uint32_t>;

class Emitter {
public:
  Emitter(OpBuilder &b, Location loc) : b(b), loc(loc) {
    auto i32 = b.getI32Type();
    four =
        LLVM::LLVMStructType::getLiteral(b.getContext(), {i32, i32, i32, i32});
    two = LLVM::LLVMStructType::getLiteral(b.getContext(), {i32, i32});
  }

  Value number(uint32_t value) {
    return LLVM::ConstantOp::create(
        b, loc, b.getI32Type(),
        b.getI32IntegerAttr(static_cast<int32_t>(value)));
  }

  /// One register after `cpuid`.
  Value cpuid(uint32_t leaf, uint32_t subleaf, unsigned reg) {
    return ask("cpuid", "={ax},={bx},={cx},={dx},{ax},{cx}", four,
               {number(leaf), number(subleaf)}, reg);
  }

  /// The low half of XCR0: what the operating system saves. Only where
  /// OSXSAVE is set.
  Value savedState() {
    return ask("xgetbv", "={ax},={dx},{cx}", two, {number(0)}, 0);
  }

  Value hasAll(Value bits, uint32_t mask) {
    Value set = LLVM::AndOp::create(b, loc, bits, number(mask));
    return LLVM::ICmpOp::create(b, loc, LLVM::ICmpPredicate::eq, set,
                                number(mask));
  }

  Value atLeast(Value value, uint32_t least) {
    return LLVM::ICmpOp::create(b, loc, LLVM::ICmpPredicate::uge, value,
                                number(least));
  }

  /// Goes on in a new block where `condition` holds, else to `lacks`.
  void require(Value condition, Block *lacks) {
    Block *next = b.createBlock(lacks);
    b.setInsertionPointAfterValue(condition);
    LLVM::CondBrOp::create(b, loc, condition, next, lacks);
    b.setInsertionPointToEnd(next);
  }

  void answer(bool value) {
    Value result =
        LLVM::ConstantOp::create(b, loc, b.getI1Type(), b.getBoolAttr(value));
    LLVM::ReturnOp::create(b, loc, result);
  }

private:
  Value ask(StringRef instruction, StringRef constraints, Type type,
            ValueRange operands, int64_t index) {
    Value answer = LLVM::InlineAsmOp::create(
                       b, loc, type, operands, instruction, constraints,
                       /*has_side_effects=*/true, /*is_align_stack=*/false,
                       LLVM::tailcallkind::TailCallKind::None,
                       /*asm_dialect=*/nullptr, /*operand_attrs=*/nullptr)
                       .getResult(0);
    return LLVM::ExtractValueOp::create(b, loc, answer, index);
  }

  OpBuilder &b;
  Location loc;
  Type four, two;
};

} // namespace

ArrayRef<StringRef> a2q::cpuidFeatures() {
  static const std::vector<StringRef> names = [] {
    std::vector<StringRef> result;
    for (const Feature &feature : table)
      result.push_back(feature.name);
    return result;
  }();
  return names;
}

LLVM::LLVMFuncOp a2q::emitCpuCheck(OpBuilder &b, Location loc, StringRef name,
                                   ArrayRef<StringRef> features) {
  Demands demands;
  uint32_t state = 0;
  uint32_t largestLeaf[2] = {0, 0}, largestSubleaf = 0;
  for (const Feature &feature : table) {
    if (!llvm::is_contained(features, feature.name))
      continue;
    demands[{feature.leaf, feature.subleaf, feature.reg}] |= 1u << feature.bit;
    state |= feature.state;
    uint32_t &largest = largestLeaf[feature.leaf >> 31];
    largest = std::max(largest, feature.leaf);
    largestSubleaf = std::max(largestSubleaf, feature.subleaf);
  }
  constexpr uint32_t osxsave = 1u << 27;
  if (state) {
    demands[{1, 0, ECX}] |= osxsave;
    largestLeaf[0] = std::max(largestLeaf[0], 1u);
  }

  OpBuilder::InsertionGuard guard(b);
  auto function = LLVM::LLVMFuncOp::create(
      b, loc, name, LLVM::LLVMFunctionType::get(b.getI1Type(), {}),
      LLVM::Linkage::Internal);
  function.setTargetCpu(baselineCpu);
  Block *entry = function.addEntryBlock(b);
  Block *lacks = b.createBlock(&function.getBody());
  Emitter emit(b, loc);
  emit.answer(false);

  // Every question is asked only where the answers before it say that it may
  // be: an unknown leaf answers with the bits of another.
  b.setInsertionPointToEnd(entry);
  for (auto [range, largest] : llvm::enumerate(largestLeaf))
    if (largest)
      emit.require(
          emit.atLeast(emit.cpuid(range ? 0x80000000u : 0, 0, EAX), largest),
          lacks);
  if (largestSubleaf)
    emit.require(emit.atLeast(emit.cpuid(7, 0, EAX), largestSubleaf), lacks);
  for (auto [answer, mask] : demands) {
    auto [leaf, subleaf, reg] = answer;
    emit.require(emit.hasAll(emit.cpuid(leaf, subleaf, reg), mask), lacks);
  }
  if (state)
    emit.require(emit.hasAll(emit.savedState(), state), lacks);
  emit.answer(true);
  return function;
}
