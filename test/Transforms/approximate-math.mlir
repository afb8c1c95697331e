// RUN: a2q-opt %s --a2q-approximate-math | FileCheck %s

// Arithmetic is left, without fused multiplications.
// CHECK-LABEL: @f
// CHECK-NOT: math.{{exp|tanh|erf|fma}}
// CHECK: arith.mulf
// CHECK-NOT: math.{{exp|tanh|erf|fma}}
// CHECK: return
func.func @f(%x: f32) -> f32 {
  %a = math.exp %x : f32
  %b = math.tanh %a : f32
  %c = math.erf %b : f32
  return %c : f32
}
