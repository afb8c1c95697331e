// Lanes of 16 bits hold the complete sums of normalized codes, where the ranges
// of the codes would ask for spills: 192 terms per lane, and 85 of them span 16
// bits by ranges. The codes are unsigned with a zero point, and the adds wrap.
//
// RUN: a2q-opt %s --convert-a2q-to-vector="isa=avx2 look-ups=never" --remarks-filter=a2q-kernels -o /dev/null 2>&1 | FileCheck %s

!x = !quant.uniform<u8:f32, 0.0625:128>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>

// CHECK: remark: loc("norm"): {{.*}}the kernel is pmaddubsw on blocks of 4 positions and 4 channels; not planes
func.func @norm(%v: tensor<4x384xf32>) -> tensor<4x1xi32> {
  %none = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %share = "tosa.const"() <{values = dense<0.00260416674> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %eps = "tosa.const"() <{values = dense<1.0e-5> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %squares = tosa.mul %v, %v, %none : (tensor<4x384xf32>, tensor<4x384xf32>, tensor<1xi8>) -> tensor<4x384xf32>
  %sum = tosa.reduce_sum %squares {axis = 1 : i32} : (tensor<4x384xf32>) -> tensor<4x1xf32>
  %mean = tosa.mul %sum, %share, %none : (tensor<4x1xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<4x1xf32>
  %shifted = tosa.add %mean, %eps : (tensor<4x1xf32>, tensor<1x1xf32>) -> tensor<4x1xf32>
  %inverse = tosa.rsqrt %shifted : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %n = tosa.mul %v, %inverse, %none : (tensor<4x384xf32>, tensor<4x1xf32>, tensor<1xi8>) -> tensor<4x384xf32>
  %q = a2q.quantize %n : tensor<4x384xf32> to tensor<4x384x!x>
  %codes = arith.constant dense<3> : tensor<1x384xi8>
  %w = quant.scast %codes : tensor<1x384xi8> to tensor<1x384x!w>
  %y = a2q.matmul %q, %w schedule <ends = [[80, 160, 240, 320, 384], [384]]>
      : tensor<4x384x!x>, tensor<1x384x!w> -> tensor<4x1x!a2q.acc<16 x 80, 19>> loc("norm")
  %z = a2q.decode %y : tensor<4x1x!a2q.acc<16 x 80, 19>> to tensor<4x1xi32>
  return %z : tensor<4x1xi32>
}

// The same codes without the norm.
// CHECK: remark: loc("plain"): {{.*}}the kernel is pmaddubsw {{.*}}, 3 tiles in 96 steps
func.func @plain(%q: tensor<4x384x!x>) -> tensor<4x1xi32> {
  %codes = arith.constant dense<3> : tensor<1x384xi8>
  %w = quant.scast %codes : tensor<1x384xi8> to tensor<1x384x!w>
  %y = a2q.matmul %q, %w schedule <ends = [[80, 160, 240, 320, 384], [384]]>
      : tensor<4x384x!x>, tensor<1x384x!w> -> tensor<4x1x!a2q.acc<16 x 80, 19>> loc("plain")
  %z = a2q.decode %y : tensor<4x1x!a2q.acc<16 x 80, 19>> to tensor<4x1xi32>
  return %z : tensor<4x1xi32>
}
