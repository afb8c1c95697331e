// RUN: a2q-opt %s "--a2q-to-llvm-pipeline=target-cpu=x86-64 prefix=net" | FileCheck %s
// RUN: not a2q-opt %s --a2q-to-llvm-pipeline=target-cpu=z80 2>&1 | FileCheck %s --check-prefix=CPU

// CPU: error: unknown target-cpu 'z80'; known are

// Everything is inlined into one function that takes its buffers: the inputs,
// the outputs, and the workspace.
// CHECK-NOT: llvm.func @helper
// CHECK: llvm.func internal @net_body(
// CHECK-SAME: llvm.noalias
// CHECK-NOT: @malloc
// CHECK: llvm.func @net_workspace_size() -> i64
// CHECK: llvm.func @net_run(%{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr) -> i32
!x = !quant.uniform<u8:f32, 0.5>
func.func private @helper(%x: tensor<4x4xf32>) -> tensor<4x4x!x> {
  %q = a2q.quantize %x : tensor<4x4xf32> to tensor<4x4x!x>
  return %q : tensor<4x4x!x>
}
func.func @main(%x: tensor<4x4xf32>) -> tensor<4x4x!x> {
  %empty = tensor.empty() : tensor<4x4xf32>
  %t = linalg.transpose ins(%x : tensor<4x4xf32>) outs(%empty : tensor<4x4xf32>) permutation = [1, 0]
  %q = call @helper(%t) : (tensor<4x4xf32>) -> tensor<4x4x!x>
  return %q : tensor<4x4x!x>
}
