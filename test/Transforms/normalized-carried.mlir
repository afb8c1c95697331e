// What is known of normalized codes on the way through the network: other codes,
// residual sums, parts, several side by side.
//
// RUN: a2q-opt %s --split-input-file -a2q-infer-accumulators -a2q-verify-accumulators | FileCheck %s
// RUN: a2q-opt %s --split-input-file -a2q-report-accumulators=file=- -o /dev/null | FileCheck %s --check-prefix=REPORT

// Codes of 16 bits: the norm is 8, and 64 weights of 1 give 8 * 8 * 1024, for
// 64 * 8 * 1024 by ranges.

// CHECK-LABEL: @codes16
// REPORT: "proof": "rmsnorm"
!x = !quant.uniform<i16:f32, 0.0009765625>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @codes16(%v: tensor<4x64xf32>) -> tensor<4x1xi32> {
  %none = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %share = "tosa.const"() <{values = dense<0.015625> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %eps = "tosa.const"() <{values = dense<1.0e-5> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %squares = tosa.mul %v, %v, %none : (tensor<4x64xf32>, tensor<4x64xf32>, tensor<1xi8>) -> tensor<4x64xf32>
  %sum = tosa.reduce_sum %squares {axis = 1 : i32} : (tensor<4x64xf32>) -> tensor<4x1xf32>
  %mean = tosa.mul %sum, %share, %none : (tensor<4x1xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<4x1xf32>
  %shifted = tosa.add %mean, %eps : (tensor<4x1xf32>, tensor<1x1xf32>) -> tensor<4x1xf32>
  %inverse = tosa.rsqrt %shifted : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %n = tosa.mul %v, %inverse, %none : (tensor<4x64xf32>, tensor<4x1xf32>, tensor<1xi8>) -> tensor<4x64xf32>
  %q = a2q.quantize %n : tensor<4x64xf32> to tensor<4x64x!x>
  %codes = arith.constant dense<1> : tensor<1x64xi8>
  %w = quant.scast %codes : tensor<1x64xi8> to tensor<1x64x!w>
  // CHECK: a2q.matmul {{.*}}!a2q.acc<18>
  %y = a2q.matmul %q, %w : tensor<4x64x!x>, tensor<1x64x!w> -> tensor<4x1x!a2q.acc<32>>
  %z = a2q.decode %y : tensor<4x1x!a2q.acc<32>> to tensor<4x1xi32>
  return %z : tensor<4x1xi32>
}

// -----

// Codes that become values and then codes of another scale: 8 * 8 * 16, and twice a
// half of rounding.

// CHECK-LABEL: @requantized
// REPORT: "proof": "rmsnorm"
!x = !quant.uniform<i8:f32, 0.03125>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
!r = !quant.uniform<i8:f32, 0.0625>
func.func @requantized(%v: tensor<4x64xf32>) -> tensor<4x1xi32> {
  %none = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %share = "tosa.const"() <{values = dense<0.015625> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %eps = "tosa.const"() <{values = dense<1.0e-5> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %squares = tosa.mul %v, %v, %none : (tensor<4x64xf32>, tensor<4x64xf32>, tensor<1xi8>) -> tensor<4x64xf32>
  %sum = tosa.reduce_sum %squares {axis = 1 : i32} : (tensor<4x64xf32>) -> tensor<4x1xf32>
  %mean = tosa.mul %sum, %share, %none : (tensor<4x1xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<4x1xf32>
  %shifted = tosa.add %mean, %eps : (tensor<4x1xf32>, tensor<1x1xf32>) -> tensor<4x1xf32>
  %inverse = tosa.rsqrt %shifted : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %n = tosa.mul %v, %inverse, %none : (tensor<4x64xf32>, tensor<4x1xf32>, tensor<1xi8>) -> tensor<4x64xf32>
  %q = a2q.quantize %n : tensor<4x64xf32> to tensor<4x64x!x>
  %real = a2q.dequantize %q : tensor<4x64x!x> to tensor<4x64xf32>
  %r = a2q.quantize %real : tensor<4x64xf32> to tensor<4x64x!r>
  %codes = arith.constant dense<1> : tensor<1x64xi8>
  %w = quant.scast %codes : tensor<1x64xi8> to tensor<1x64x!w>
  // CHECK: a2q.matmul {{.*}}!a2q.acc<12>
  %y = a2q.matmul %r, %w : tensor<4x64x!r>, tensor<1x64x!w> -> tensor<4x1x!a2q.acc<32>>
  %z = a2q.decode %y : tensor<4x1x!a2q.acc<32>> to tensor<4x1xi32>
  return %z : tensor<4x1xi32>
}

// -----

// A residual sum of two normalizations, both read from codes: 2 * 8 * 8 * 16.

// CHECK-LABEL: @residual
// REPORT: "proof": "rmsnorm"
!x = !quant.uniform<i8:f32, 0.03125>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
!r = !quant.uniform<i8:f32, 0.0625>
func.func @residual(%v: tensor<4x64xf32>) -> tensor<4x1xi32> {
  %none = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %share = "tosa.const"() <{values = dense<0.015625> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %eps = "tosa.const"() <{values = dense<1.0e-5> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %squares = tosa.mul %v, %v, %none : (tensor<4x64xf32>, tensor<4x64xf32>, tensor<1xi8>) -> tensor<4x64xf32>
  %sum = tosa.reduce_sum %squares {axis = 1 : i32} : (tensor<4x64xf32>) -> tensor<4x1xf32>
  %mean = tosa.mul %sum, %share, %none : (tensor<4x1xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<4x1xf32>
  %shifted = tosa.add %mean, %eps : (tensor<4x1xf32>, tensor<1x1xf32>) -> tensor<4x1xf32>
  %inverse = tosa.rsqrt %shifted : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %n = tosa.mul %v, %inverse, %none : (tensor<4x64xf32>, tensor<4x1xf32>, tensor<1xi8>) -> tensor<4x64xf32>
  %q = a2q.quantize %n : tensor<4x64xf32> to tensor<4x64x!x>
  %real = a2q.dequantize %q : tensor<4x64x!x> to tensor<4x64xf32>
  %both = tosa.add %real, %real : (tensor<4x64xf32>, tensor<4x64xf32>) -> tensor<4x64xf32>
  %r = a2q.quantize %both : tensor<4x64xf32> to tensor<4x64x!r>
  %codes = arith.constant dense<1> : tensor<1x64xi8>
  %w = quant.scast %codes : tensor<1x64xi8> to tensor<1x64x!w>
  // CHECK: a2q.matmul {{.*}}!a2q.acc<13>
  %y = a2q.matmul %r, %w : tensor<4x64x!r>, tensor<1x64x!w> -> tensor<4x1x!a2q.acc<32>>
  %z = a2q.decode %y : tensor<4x1x!a2q.acc<32>> to tensor<4x1xi32>
  return %z : tensor<4x1xi32>
}

// -----

// A residual sum with codes of which only the range is known, 7 * 1/16 at most.

// CHECK-LABEL: @residual_range
// REPORT: "proof": "rmsnorm"
!x = !quant.uniform<i8:f32, 0.03125>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
!s = !quant.uniform<i8<-7:7>:f32, 0.0625>
func.func @residual_range(%v: tensor<4x64xf32>, %other: tensor<4x64x!s>) -> tensor<4x1xi32> {
  %none = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %share = "tosa.const"() <{values = dense<0.015625> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %eps = "tosa.const"() <{values = dense<1.0e-5> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %squares = tosa.mul %v, %v, %none : (tensor<4x64xf32>, tensor<4x64xf32>, tensor<1xi8>) -> tensor<4x64xf32>
  %sum = tosa.reduce_sum %squares {axis = 1 : i32} : (tensor<4x64xf32>) -> tensor<4x1xf32>
  %mean = tosa.mul %sum, %share, %none : (tensor<4x1xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<4x1xf32>
  %shifted = tosa.add %mean, %eps : (tensor<4x1xf32>, tensor<1x1xf32>) -> tensor<4x1xf32>
  %inverse = tosa.rsqrt %shifted : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %n = tosa.mul %v, %inverse, %none : (tensor<4x64xf32>, tensor<4x1xf32>, tensor<1xi8>) -> tensor<4x64xf32>
  %real = a2q.dequantize %other : tensor<4x64x!s> to tensor<4x64xf32>
  %both = tosa.add %real, %n : (tensor<4x64xf32>, tensor<4x64xf32>) -> tensor<4x64xf32>
  %r = a2q.quantize %both : tensor<4x64xf32> to tensor<4x64x!x>
  %codes = arith.constant dense<1> : tensor<1x64xi8>
  %w = quant.scast %codes : tensor<1x64xi8> to tensor<1x64x!w>
  // CHECK: a2q.matmul {{.*}}!a2q.acc<13>
  %y = a2q.matmul %r, %w : tensor<4x64x!x>, tensor<1x64x!w> -> tensor<4x1x!a2q.acc<32>>
  %z = a2q.decode %y : tensor<4x1x!a2q.acc<32>> to tensor<4x1xi32>
  return %z : tensor<4x1xi32>
}

// -----

// Values of which nothing is known.

// CHECK-LABEL: @residual_unknown
// REPORT: "proof": "box"
!x = !quant.uniform<i8:f32, 0.03125>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @residual_unknown(%v: tensor<4x64xf32>, %other: tensor<4x64xf32>) -> tensor<4x1xi32> {
  %none = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %share = "tosa.const"() <{values = dense<0.015625> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %eps = "tosa.const"() <{values = dense<1.0e-5> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %squares = tosa.mul %v, %v, %none : (tensor<4x64xf32>, tensor<4x64xf32>, tensor<1xi8>) -> tensor<4x64xf32>
  %sum = tosa.reduce_sum %squares {axis = 1 : i32} : (tensor<4x64xf32>) -> tensor<4x1xf32>
  %mean = tosa.mul %sum, %share, %none : (tensor<4x1xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<4x1xf32>
  %shifted = tosa.add %mean, %eps : (tensor<4x1xf32>, tensor<1x1xf32>) -> tensor<4x1xf32>
  %inverse = tosa.rsqrt %shifted : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %n = tosa.mul %v, %inverse, %none : (tensor<4x64xf32>, tensor<4x1xf32>, tensor<1xi8>) -> tensor<4x64xf32>
  %both = tosa.add %other, %n : (tensor<4x64xf32>, tensor<4x64xf32>) -> tensor<4x64xf32>
  %r = a2q.quantize %both : tensor<4x64xf32> to tensor<4x64x!x>
  %codes = arith.constant dense<1> : tensor<1x64xi8>
  %w = quant.scast %codes : tensor<1x64xi8> to tensor<1x64x!w>
  // CHECK: a2q.matmul {{.*}}!a2q.acc<14>
  %y = a2q.matmul %r, %w : tensor<4x64x!x>, tensor<1x64x!w> -> tensor<4x1x!a2q.acc<32>>
  %z = a2q.decode %y : tensor<4x1x!a2q.acc<32>> to tensor<4x1xi32>
  return %z : tensor<4x1xi32>
}

// -----

// Half of the channels: a part of a vector has no larger norm, 8 * sqrt(32) * 32 and
// 16 for rounding.

// CHECK-LABEL: @half
// REPORT: "proof": "rmsnorm"
!x = !quant.uniform<i8:f32, 0.03125>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @half(%v: tensor<4x64xf32>) -> tensor<4x1xi32> {
  %none = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %share = "tosa.const"() <{values = dense<0.015625> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %eps = "tosa.const"() <{values = dense<1.0e-5> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %squares = tosa.mul %v, %v, %none : (tensor<4x64xf32>, tensor<4x64xf32>, tensor<1xi8>) -> tensor<4x64xf32>
  %sum = tosa.reduce_sum %squares {axis = 1 : i32} : (tensor<4x64xf32>) -> tensor<4x1xf32>
  %mean = tosa.mul %sum, %share, %none : (tensor<4x1xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<4x1xf32>
  %shifted = tosa.add %mean, %eps : (tensor<4x1xf32>, tensor<1x1xf32>) -> tensor<4x1xf32>
  %inverse = tosa.rsqrt %shifted : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %n = tosa.mul %v, %inverse, %none : (tensor<4x64xf32>, tensor<4x1xf32>, tensor<1xi8>) -> tensor<4x64xf32>
  %q = a2q.quantize %n : tensor<4x64xf32> to tensor<4x64x!x>
  %h = tensor.extract_slice %q[0, 0] [4, 32] [1, 2] : tensor<4x64x!x> to tensor<4x32x!x>
  %codes = arith.constant dense<1> : tensor<1x32xi8>
  %w = quant.scast %codes : tensor<1x32xi8> to tensor<1x32x!w>
  // CHECK: a2q.matmul {{.*}}!a2q.acc<12>
  %y = a2q.matmul %h, %w : tensor<4x32x!x>, tensor<1x32x!w> -> tensor<4x1x!a2q.acc<32>>
  %z = a2q.decode %y : tensor<4x1x!a2q.acc<32>> to tensor<4x1xi32>
  return %z : tensor<4x1xi32>
}

// -----

// Two normalizations side by side: a radius of 8 * sqrt(2).

// CHECK-LABEL: @side_by_side
// REPORT: "proof": "rmsnorm"
!x = !quant.uniform<i8:f32, 0.03125>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @side_by_side(%v: tensor<4x64xf32>) -> tensor<4x1xi32> {
  %none = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %share = "tosa.const"() <{values = dense<0.015625> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %eps = "tosa.const"() <{values = dense<1.0e-5> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %squares = tosa.mul %v, %v, %none : (tensor<4x64xf32>, tensor<4x64xf32>, tensor<1xi8>) -> tensor<4x64xf32>
  %sum = tosa.reduce_sum %squares {axis = 1 : i32} : (tensor<4x64xf32>) -> tensor<4x1xf32>
  %mean = tosa.mul %sum, %share, %none : (tensor<4x1xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<4x1xf32>
  %shifted = tosa.add %mean, %eps : (tensor<4x1xf32>, tensor<1x1xf32>) -> tensor<4x1xf32>
  %inverse = tosa.rsqrt %shifted : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %n = tosa.mul %v, %inverse, %none : (tensor<4x64xf32>, tensor<4x1xf32>, tensor<1xi8>) -> tensor<4x64xf32>
  %q = a2q.quantize %n : tensor<4x64xf32> to tensor<4x64x!x>
  %c = tensor.concat dim(1) %q, %q : (tensor<4x64x!x>, tensor<4x64x!x>) -> tensor<4x128x!x>
  %codes = arith.constant dense<1> : tensor<1x128xi8>
  %w = quant.scast %codes : tensor<1x128xi8> to tensor<1x128x!w>
  // CHECK: a2q.matmul {{.*}}!a2q.acc<14>
  %y = a2q.matmul %c, %w : tensor<4x128x!x>, tensor<1x128x!w> -> tensor<4x1x!a2q.acc<32>>
  %z = a2q.decode %y : tensor<4x1x!a2q.acc<32>> to tensor<4x1xi32>
  return %z : tensor<4x1xi32>
}

// -----

// Beside a normalization, codes of which only the range is known.

// CHECK-LABEL: @beside_codes
// REPORT: "proof": "rmsnorm"
!x = !quant.uniform<i8:f32, 0.03125>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @beside_codes(%v: tensor<4x64xf32>, %other: tensor<4x16x!x>) -> tensor<4x1xi32> {
  %none = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %share = "tosa.const"() <{values = dense<0.015625> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %eps = "tosa.const"() <{values = dense<1.0e-5> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %squares = tosa.mul %v, %v, %none : (tensor<4x64xf32>, tensor<4x64xf32>, tensor<1xi8>) -> tensor<4x64xf32>
  %sum = tosa.reduce_sum %squares {axis = 1 : i32} : (tensor<4x64xf32>) -> tensor<4x1xf32>
  %mean = tosa.mul %sum, %share, %none : (tensor<4x1xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<4x1xf32>
  %shifted = tosa.add %mean, %eps : (tensor<4x1xf32>, tensor<1x1xf32>) -> tensor<4x1xf32>
  %inverse = tosa.rsqrt %shifted : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %n = tosa.mul %v, %inverse, %none : (tensor<4x64xf32>, tensor<4x1xf32>, tensor<1xi8>) -> tensor<4x64xf32>
  %q = a2q.quantize %n : tensor<4x64xf32> to tensor<4x64x!x>
  %c = tensor.concat dim(1) %q, %other : (tensor<4x64x!x>, tensor<4x16x!x>) -> tensor<4x80x!x>
  %codes = arith.constant dense<1> : tensor<1x80xi8>
  %w = quant.scast %codes : tensor<1x80xi8> to tensor<1x80x!w>
  // CHECK: a2q.matmul {{.*}}!a2q.acc<14>
  %y = a2q.matmul %c, %w : tensor<4x80x!x>, tensor<1x80x!w> -> tensor<4x1x!a2q.acc<32>>
  %z = a2q.decode %y : tensor<4x1x!a2q.acc<32>> to tensor<4x1xi32>
  return %z : tensor<4x1xi32>
}

// -----

// One below the other: every row obeys the fact of both.

// CHECK-LABEL: @below
// REPORT: "proof": "rmsnorm"
!x = !quant.uniform<i8:f32, 0.03125>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @below(%v: tensor<4x64xf32>) -> tensor<4x1xi32> {
  %none = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %share = "tosa.const"() <{values = dense<0.015625> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %eps = "tosa.const"() <{values = dense<1.0e-5> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %squares = tosa.mul %v, %v, %none : (tensor<4x64xf32>, tensor<4x64xf32>, tensor<1xi8>) -> tensor<4x64xf32>
  %sum = tosa.reduce_sum %squares {axis = 1 : i32} : (tensor<4x64xf32>) -> tensor<4x1xf32>
  %mean = tosa.mul %sum, %share, %none : (tensor<4x1xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<4x1xf32>
  %shifted = tosa.add %mean, %eps : (tensor<4x1xf32>, tensor<1x1xf32>) -> tensor<4x1xf32>
  %inverse = tosa.rsqrt %shifted : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %n = tosa.mul %v, %inverse, %none : (tensor<4x64xf32>, tensor<4x1xf32>, tensor<1xi8>) -> tensor<4x64xf32>
  %q = a2q.quantize %n : tensor<4x64xf32> to tensor<4x64x!x>
  %c = tensor.concat dim(0) %q, %q : (tensor<4x64x!x>, tensor<4x64x!x>) -> tensor<8x64x!x>
  %h = tensor.extract_slice %c[2, 0] [4, 64] [1, 1] : tensor<8x64x!x> to tensor<4x64x!x>
  %codes = arith.constant dense<1> : tensor<1x64xi8>
  %w = quant.scast %codes : tensor<1x64xi8> to tensor<1x64x!w>
  // CHECK: a2q.matmul {{.*}}!a2q.acc<13>
  %y = a2q.matmul %h, %w : tensor<4x64x!x>, tensor<1x64x!w> -> tensor<4x1x!a2q.acc<32>>
  %z = a2q.decode %y : tensor<4x1x!a2q.acc<32>> to tensor<4x1xi32>
  return %z : tensor<4x1xi32>
}

// -----

// One below codes of which only the range is known.

// CHECK-LABEL: @below_codes
// REPORT: "proof": "box"
!x = !quant.uniform<i8:f32, 0.03125>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @below_codes(%v: tensor<4x64xf32>, %other: tensor<4x64x!x>) -> tensor<4x1xi32> {
  %none = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %share = "tosa.const"() <{values = dense<0.015625> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %eps = "tosa.const"() <{values = dense<1.0e-5> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %squares = tosa.mul %v, %v, %none : (tensor<4x64xf32>, tensor<4x64xf32>, tensor<1xi8>) -> tensor<4x64xf32>
  %sum = tosa.reduce_sum %squares {axis = 1 : i32} : (tensor<4x64xf32>) -> tensor<4x1xf32>
  %mean = tosa.mul %sum, %share, %none : (tensor<4x1xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<4x1xf32>
  %shifted = tosa.add %mean, %eps : (tensor<4x1xf32>, tensor<1x1xf32>) -> tensor<4x1xf32>
  %inverse = tosa.rsqrt %shifted : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %n = tosa.mul %v, %inverse, %none : (tensor<4x64xf32>, tensor<4x1xf32>, tensor<1xi8>) -> tensor<4x64xf32>
  %q = a2q.quantize %n : tensor<4x64xf32> to tensor<4x64x!x>
  %c = tensor.concat dim(0) %q, %other : (tensor<4x64x!x>, tensor<4x64x!x>) -> tensor<8x64x!x>
  %h = tensor.extract_slice %c[2, 0] [4, 64] [1, 1] : tensor<8x64x!x> to tensor<4x64x!x>
  %codes = arith.constant dense<1> : tensor<1x64xi8>
  %w = quant.scast %codes : tensor<1x64xi8> to tensor<1x64x!w>
  // CHECK: a2q.matmul {{.*}}!a2q.acc<14>
  %y = a2q.matmul %h, %w : tensor<4x64x!x>, tensor<1x64x!w> -> tensor<4x1x!a2q.acc<32>>
  %z = a2q.decode %y : tensor<4x1x!a2q.acc<32>> to tensor<4x1xi32>
  return %z : tensor<4x1xi32>
}

// -----

// A rectifier holds the centres, 0.

// CHECK-LABEL: @rectified
// REPORT: "proof": "rmsnorm"
!x = !quant.uniform<i8:f32, 0.03125>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @rectified(%v: tensor<4x64xf32>) -> tensor<4x1xi32> {
  %none = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %share = "tosa.const"() <{values = dense<0.015625> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %eps = "tosa.const"() <{values = dense<1.0e-5> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %squares = tosa.mul %v, %v, %none : (tensor<4x64xf32>, tensor<4x64xf32>, tensor<1xi8>) -> tensor<4x64xf32>
  %sum = tosa.reduce_sum %squares {axis = 1 : i32} : (tensor<4x64xf32>) -> tensor<4x1xf32>
  %mean = tosa.mul %sum, %share, %none : (tensor<4x1xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<4x1xf32>
  %shifted = tosa.add %mean, %eps : (tensor<4x1xf32>, tensor<1x1xf32>) -> tensor<4x1xf32>
  %inverse = tosa.rsqrt %shifted : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %n = tosa.mul %v, %inverse, %none : (tensor<4x64xf32>, tensor<4x1xf32>, tensor<1xi8>) -> tensor<4x64xf32>
  %zero = "tosa.const"() <{values = dense<0.0> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %m = tosa.maximum %n, %zero : (tensor<4x64xf32>, tensor<1x1xf32>) -> tensor<4x64xf32>
  %q = a2q.quantize %m : tensor<4x64xf32> to tensor<4x64x!x>
  %codes = arith.constant dense<1> : tensor<1x64xi8>
  %w = quant.scast %codes : tensor<1x64xi8> to tensor<1x64x!w>
  // CHECK: a2q.matmul {{.*}}!a2q.acc<13>
  %y = a2q.matmul %q, %w : tensor<4x64x!x>, tensor<1x64x!w> -> tensor<4x1x!a2q.acc<32>>
  %z = a2q.decode %y : tensor<4x1x!a2q.acc<32>> to tensor<4x1xi32>
  return %z : tensor<4x1xi32>
}
