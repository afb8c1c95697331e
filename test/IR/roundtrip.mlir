// RUN: a2q-opt %s | a2q-opt | FileCheck %s
// RUN: a2q-opt %s --emit-bytecode | a2q-opt | FileCheck %s
// RUN: a2q-opt %s --mlir-print-op-generic | a2q-opt | FileCheck %s

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32:0, {0.5, 0.25}>
!y = !quant.uniform<u8<0:15>:f32, 0.2>

// CHECK-LABEL: @types
// CHECK-SAME: tensor<2x!a2q.acc<16>>
// CHECK-SAME: tensor<2x!a2q.acc<8 x 12, 16 x 144, 32>>
// CHECK-SAME: tensor<2x!a2q.acc<16, wrap>>
func.func private @types(tensor<2x!a2q.acc<16>>,
    tensor<2x!a2q.acc<8 x 12, 16 x 144, 32>>, tensor<2x!a2q.acc<16, wrap>>)

// CHECK-LABEL: @matmul
func.func @matmul(%x: tensor<1x4x!x>) -> tensor<1x2x!y> {
  %c = arith.constant dense<[[1, 2, 3, 4], [-1, -2, -3, -4]]> : tensor<2x4xi8>
  %w = quant.scast %c : tensor<2x4xi8> to tensor<2x4x!w>
  %b = arith.constant dense<[1, 2]> : tensor<2xi32>
  // CHECK: a2q.matmul %{{.*}}, %{{.*}} initial %{{.*}} : tensor<2xi32>
  // CHECK-SAME: schedule <ends = {{\[\[}}2, 4], [4]], starts = [dense<-3> : tensor<2x2x1xi8>, 0], order = array<i64: 3, 2, 1, 0>>
  // CHECK-SAME: -> tensor<1x2x!a2q.acc<8 x 2, 16>>
  %y = a2q.matmul %x, %w initial %b : tensor<2xi32>
      schedule <ends = [[2, 4], [4]], starts = [dense<-3> : tensor<2x2x1xi8>, 0],
                order = array<i64: 3, 2, 1, 0>>
      : tensor<1x4x!x>, tensor<2x4x!w> -> tensor<1x2x!a2q.acc<8 x 2, 16>>
  // CHECK: a2q.requantize %{{.*}} multiplier dense<1.000000e-01> : tensor<1xf32> bias dense<[3, -4]> : tensor<2xi32> :
  %q = a2q.requantize %y multiplier dense<0.1> : tensor<1xf32> bias dense<[3, -4]> : tensor<2xi32>
      : tensor<1x2x!a2q.acc<8 x 2, 16>> to tensor<1x2x!y>
  return %q : tensor<1x2x!y>
}

// CHECK-LABEL: @conv_2d
func.func @conv_2d(%x: tensor<1x8x8x2x!x>, %w: tensor<2x3x3x1x!w>) -> tensor<1x4x4x2xi32> {
  // CHECK: a2q.conv_2d %{{.*}}, %{{.*}} strides [2, 2] padding [1, 1, 1, 1] groups 2 :
  %y = a2q.conv_2d %x, %w strides [2, 2] padding [1, 1, 1, 1] groups 2
      : tensor<1x8x8x2x!x>, tensor<2x3x3x1x!w> -> tensor<1x4x4x2x!a2q.acc<32>>
  // CHECK: a2q.decode
  %d = a2q.decode %y : tensor<1x4x4x2x!a2q.acc<32>> to tensor<1x4x4x2xi32>
  return %d : tensor<1x4x4x2xi32>
}

// CHECK-LABEL: @fixed_point
func.func @fixed_point(%y: tensor<1x2x!a2q.acc<16>>) -> tensor<1x2x!y> {
  // CHECK: a2q.requantize %{{.*}} multiplier dense<[1073741824, 7]> : tensor<2xi32> shift dense<[33, 2]> : tensor<2xi8> rounding half_up :
  %q = a2q.requantize %y multiplier dense<[1073741824, 7]> : tensor<2xi32>
      shift dense<[33, 2]> : tensor<2xi8> rounding half_up
      : tensor<1x2x!a2q.acc<16>> to tensor<1x2x!y>
  return %q : tensor<1x2x!y>
}

// CHECK-LABEL: @reals
func.func @reals(%x: tensor<4xf32>) -> tensor<4xf32> {
  // CHECK: a2q.quantize %{{.*}} rounding floor :
  %q = a2q.quantize %x rounding floor : tensor<4xf32> to tensor<4x!x>
  // CHECK: a2q.dequantize
  %d = a2q.dequantize %q : tensor<4x!x> to tensor<4xf32>
  return %d : tensor<4xf32>
}

// CHECK-LABEL: @mac
func.func @mac(%a: vector<16xi16>, %x: vector<32xi8>, %w: vector<32xi8>) -> vector<16xi16> {
  // CHECK: a2q.mac %{{.*}}, %{{.*}} unsigned, %{{.*}} pair_exact range [0, 15] :
  %r = a2q.mac %a, %x unsigned, %w pair_exact range [0, 15]
      : vector<16xi16>, vector<32xi8>, vector<32xi8> -> vector<16xi16>
  return %r : vector<16xi16>
}

// CHECK-LABEL: @moments
func.func @moments(%x: tensor<1x2x!x>) -> tensor<1x2x!a2q.acc<16>> {
  %c = arith.constant dense<[[1, 2], [-1, -2]]> : tensor<2x2xi8>
  %w = quant.scast %c : tensor<2x2xi8> to tensor<2x2x!w>
  // The diagonal alone.
  // CHECK: a2q.moments = #a2q.moments<samples = 8, mean = dense<1.000000e+00> : tensor<1x2xf64>, products = dense<2.000000e+00> : tensor<1x2xf64>>
  %y = a2q.matmul %x, %w {a2q.moments = #a2q.moments<samples = 8, mean = dense<1.0> : tensor<1x2xf64>, products = dense<2.0> : tensor<1x2xf64>>}
      : tensor<1x2x!x>, tensor<2x2x!w> -> tensor<1x2x!a2q.acc<16>>
  // All products, in a resource, and the sums.
  // CHECK: a2q.moments = #a2q.moments<samples = 8, mean = dense<0.000000e+00> : tensor<1x2xf64>, products = dense_resource<products> : tensor<1x2x2xf64>, sum_mean = dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf64>, sum_variance = dense<3.000000e+00> : tensor<2xf64>>
  %z = a2q.matmul %x, %w {a2q.moments = #a2q.moments<samples = 8, mean = dense<0.0> : tensor<1x2xf64>, products = dense_resource<products> : tensor<1x2x2xf64>, sum_mean = dense<[1.0, 2.0]> : tensor<2xf64>, sum_variance = dense<3.0> : tensor<2xf64>>}
      : tensor<1x2x!x>, tensor<2x2x!w> -> tensor<1x2x!a2q.acc<16>>
  return %y : tensor<1x2x!a2q.acc<16>>
}

// CHECK: products: "0x08000000000000000000F03F000000000000E03F000000000000E03F000000000000F03F"

{-#
  dialect_resources: {
    builtin: {
      products: "0x08000000000000000000F03F000000000000E03F000000000000E03F000000000000F03F"
    }
  }
#-}
