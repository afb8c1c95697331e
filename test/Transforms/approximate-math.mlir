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

// Sine and cosine of any size, in scalars and vectors: quarter turns by bits of
// 2 / pi, and polynomials in float64.
// CHECK-LABEL: @turns
// CHECK-NOT: math.
// CHECK-DAG: arith.constant dense<-6703182060581546711> : vector<4xi64>
// CHECK-DAG: arith.constant -6703182060581546711 : i64
// CHECK-NOT: math.
// CHECK: return
func.func @turns(%x: f32, %v: vector<4xf32>) -> (f32, vector<4xf32>) {
  %a = math.sin %x : f32
  %b = math.cos %v : vector<4xf32>
  return %a, %b : f32, vector<4xf32>
}
