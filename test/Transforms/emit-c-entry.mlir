// RUN: a2q-opt %s "--a2q-emit-c-entry=prefix=net features=avx2,lzcnt" --split-input-file --verify-diagnostics | FileCheck %s
// RUN: not a2q-opt %s "--a2q-emit-c-entry=features=quick" 2>&1 | FileCheck %s --check-prefix=UNKNOWN

// UNKNOWN: error: no instruction tells whether a processor has 'quick'

// The answer of the processor is kept. Code that asks is for all processors.
// CHECK: llvm.func internal @net_body(
// CHECK: llvm.func @net_workspace_size() -> i64
// CHECK: llvm.func internal @net_cpu_has_all() -> i1
// CHECK-SAME: target_cpu = "x86-64"
// Leaf 7 is asked only if there is one; then leaf 0x80000001 likewise.
// CHECK: llvm.inline_asm has_side_effects "cpuid"
// CHECK: llvm.icmp "uge"
// CHECK: llvm.inline_asm has_side_effects "cpuid"
// CHECK: llvm.icmp "uge"
// OSXSAVE, AVX2 and LZCNT, then what the system saves.
// CHECK-COUNT-3: llvm.inline_asm has_side_effects "cpuid"
// CHECK: llvm.inline_asm has_side_effects "xgetbv"
// CHECK: llvm.mlir.global internal @net_cpu_known(0 : i8)
// CHECK: llvm.func @net_run(
// CHECK-SAME: target_cpu = "x86-64"
// CHECK: llvm.load %{{.*}} atomic monotonic
// CHECK: llvm.call @net_cpu_has_all()
// CHECK: llvm.store %{{.*}} atomic monotonic
// CHECK: llvm.call @net_body(
llvm.func @main(%x: !llvm.ptr, %y: !llvm.ptr, %w: !llvm.ptr)
    attributes {a2q.entry = {alignments = array<i64: 4, 1>, inputs = 1 : i64, outputs = 1 : i64, workspace = 64 : i64}} {
  llvm.return
}

// -----

// expected-error @below {{no function has a planned workspace}}
// expected-note @below {{run a2q-plan-workspace before the conversion to LLVM}}
module {}
