// RUN: a2q-opt %s -a2q-constrain-weights='width=3 method=optimal-fixed-scale' | FileCheck %s
// RUN: a2q-opt %s -a2q-constrain-weights='width=3 method=optimal-fixed-scale' -remarks-filter='a2q-constrain.*' 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK
// RUN: a2q-opt %s -a2q-constrain-weights='width=3 method=optimal-fixed-scale' -a2q-constrain-weights='width=3 method=optimal-fixed-scale' | FileCheck %s --check-prefix=TWICE

// Inputs 0 or 2, and 0 or 1, evenly and independent: means 1 and 1/2, mean
// squares 2 and 1/2. Three bits span three units of codes in [0, 2]: the unit
// of the second weight costs 1/2, any unit of the first one 2.
//
// Sums of (3, 1) have mean 3.5 and variance 9 + 1/4, those of (3, 0) mean 3 and
// variance 9. So the scale grows by sqrt(9.25 / 9) = 1.01379, and the bias
// takes 3.5 - 1.01379 * 3 = 0.4586 of the old units: 100.4586 / 1.01379 is
// 99.1. The error is 1/2 of the 21.5 + 3.5 that the mean squares of both sums
// were. Channel 1 fits and stays.
!x = !quant.uniform<u8<0:2>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
!y = !quant.uniform<u8<0:15>:f32, 0.2>
#moments = #a2q.moments<samples = 4, mean = dense<[[1.0, 0.5]]> : tensor<1x2xf64>, products = dense<[[[2.0, 0.5], [0.5, 0.5]]]> : tensor<1x2x2xf64>>
#diagonal = #a2q.moments<samples = 4, mean = dense<[[1.0, 0.5]]> : tensor<1x2xf64>, products = dense<[[2.0, 0.5]]> : tensor<1x2xf64>>

// CHECK-LABEL: @both
// CHECK{LITERAL}: dense<[[3, 0], [1, 1]]> : tensor<2x2xi8>
// CHECK: to tensor<2x2x!quant.uniform<i8<-7:7>:f32:0, {0.50689{{[0-9]*}},5.000000e-01}>>
// CHECK: multiplier dense<[0.12672{{[0-9]*}}, 1.250000e-01]> : tensor<2xf32> bias dense<[99, 100]> : tensor<2xi32>
// REMARK: constrained to 3 bits by optimal-fixed-scale: 1 of 2 channels changed, largest l1 norm 4 to 3, sparsity 0.00 to 0.25, weight error 0.083, output error 0.020, scales by 1.00 to 1.01, mean and variance of sums restored
func.func @both(%x: tensor<1x2x!x>) -> tensor<1x2x!y> {
  %c = arith.constant dense<[[3, 1], [1, 1]]> : tensor<2x2xi8>
  %w = quant.scast %c : tensor<2x2xi8> to tensor<2x2x!w>
  %s = a2q.matmul %x, %w {a2q.moments = #moments} : tensor<1x2x!x>, tensor<2x2x!w> -> tensor<1x2x!a2q.acc<32>>
  %y = a2q.requantize %s multiplier dense<0.125> : tensor<1xf32> bias dense<100> : tensor<1xi32>
      : tensor<1x2x!a2q.acc<32>> to tensor<1x2x!y>
  return %y : tensor<1x2x!y>
}

// A multiplier in fixed point keeps its scale: the mean alone, 0.5 more.
// CHECK-LABEL: @fixed_point
// CHECK: multiplier dense<64> : tensor<1xi32> shift dense<9> : tensor<1xi32> bias dense<102> : tensor<1xi32>
// REMARK: weight error 0.100, output error 0.023, mean of sums restored
func.func @fixed_point(%x: tensor<1x2x!x>) -> tensor<1x1x!y> {
  %c = arith.constant dense<[[3, 1]]> : tensor<1x2xi8>
  %w = quant.scast %c : tensor<1x2xi8> to tensor<1x2x!w>
  %s = a2q.matmul %x, %w {a2q.moments = #moments} : tensor<1x2x!x>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<32>>
  %y = a2q.requantize %s multiplier dense<64> : tensor<1xi32> shift dense<9> : tensor<1xi32> bias dense<101> : tensor<1xi32>
      : tensor<1x1x!a2q.acc<32>> to tensor<1x1x!y>
  return %y : tensor<1x1x!y>
}

// The diagonal weighs errors and gives means, but no variance.
// CHECK-LABEL: @diagonal
// CHECK{LITERAL}: dense<[[3, 0]]> : tensor<1x2xi8>
// CHECK: multiplier dense<1.250000e-01> : tensor<1xf32> bias dense<102> : tensor<1xi32>
// REMARK: weight error 0.100, mean of sums restored
func.func @diagonal(%x: tensor<1x2x!x>) -> tensor<1x1x!y> {
  %c = arith.constant dense<[[3, 1]]> : tensor<1x2xi8>
  %w = quant.scast %c : tensor<1x2xi8> to tensor<1x2x!w>
  %s = a2q.matmul %x, %w {a2q.moments = #diagonal} : tensor<1x2x!x>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<32>>
  %y = a2q.requantize %s multiplier dense<0.125> : tensor<1xf32> bias dense<101> : tensor<1xi32>
      : tensor<1x1x!a2q.acc<32>> to tensor<1x1x!y>
  return %y : tensor<1x1x!y>
}

// Integers that are read as such: nothing can follow.
// CHECK-LABEL: @decode
// CHECK{LITERAL}: dense<[[3, 0]]> : tensor<1x2xi8>
// REMARK: weight error 0.100, output error 0.023, statistics of sums not restored: 'a2q.decode' cannot follow
func.func @decode(%x: tensor<1x2x!x>) -> tensor<1x1xi32> {
  %c = arith.constant dense<[[3, 1]]> : tensor<1x2xi8>
  %w = quant.scast %c : tensor<1x2xi8> to tensor<1x2x!w>
  %s = a2q.matmul %x, %w {a2q.moments = #moments} : tensor<1x2x!x>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<32>>
  %d = a2q.decode %s : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

// Real sums are in units of 0.1 * 0.5. Their mean is to be 0.3, which is 6, and
// their variance 0.125, which is 50: of weights that fit, (1, 1) with mean 1.5
// and variance 1.25, too. The factor is sqrt(40) = 6.3246 and the shift
// 6 - 6.3246 * 1.5 = -3.4868: (100 - 3.4868) / 6.3246 is 15.3.
// CHECK-LABEL: @targets
// CHECK{LITERAL}: dense<1> : tensor<1x2xi8>
// CHECK: multiplier dense<0.79056{{[0-9]*}}> : tensor<1xf32> bias dense<15> : tensor<1xi32>
//
// What has been reached is no target any more: a second run changes nothing.
// TWICE-LABEL: @targets
// TWICE: a2q.moments = #a2q.moments<samples = 4, mean = {{.*}}, products = {{[^>]*}}> : tensor<1x2x2xf64>>
// TWICE: multiplier dense<0.79056{{[0-9]*}}> : tensor<1xf32> bias dense<15> : tensor<1xi32>
// REMARK: 0 of 1 channels changed, {{.*}} scales by 6.32 to 6.32, mean and variance of sums restored
func.func @targets(%x: tensor<1x2x!x>) -> tensor<1x1x!y> {
  %c = arith.constant dense<[[1, 1]]> : tensor<1x2xi8>
  %w = quant.scast %c : tensor<1x2xi8> to tensor<1x2x!w>
  %s = a2q.matmul %x, %w {a2q.moments = #a2q.moments<samples = 4, mean = dense<[[1.0, 0.5]]> : tensor<1x2xf64>, products = dense<[[[2.0, 0.5], [0.5, 0.5]]]> : tensor<1x2x2xf64>, sum_mean = dense<0.3> : tensor<1xf64>, sum_variance = dense<0.125> : tensor<1xf64>>}
      : tensor<1x2x!x>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<32>>
  %y = a2q.requantize %s multiplier dense<0.125> : tensor<1xf32> bias dense<100> : tensor<1xi32>
      : tensor<1x1x!a2q.acc<32>> to tensor<1x1x!y>
  return %y : tensor<1x1x!y>
}

// A real bias takes up what an integer one would round. Codes are in [0, 3] and
// two units fit. The zero point 1 is in the integer bias: 96 = 100 - 4. Sums of
// (2, 0) have mean 2 and variance 4, so the factor is sqrt(9.25 / 4) = 1.52069
// and the shift 0.45862; 100.45862 / 1.52069 - 2 is 64.06. The integer bias is
// 64, and 0.125 * (100.45862 - 1.52069 * 66) = 0.0116 goes into the real one.
!z = !quant.uniform<u8<0:3>:f32, 0.1:1>
#all = affine_map<(d0, d1) -> (d0, d1)>
#channel = affine_map<(d0, d1) -> (d1)>
// CHECK-LABEL: @real_bias
// CHECK{LITERAL}: dense<[[2, 0]]> : tensor<1x2xi8>
// CHECK-DAG: %[[BIAS:.*]] = arith.constant dense<64> : tensor<1xi32>
// CHECK-DAG: %[[SCALE:.*]] = arith.constant dense<0.190086{{[0-9]*}}> : tensor<1xf32>
// CHECK-DAG: %[[REAL:.*]] = arith.constant dense<1.0116{{[0-9]*}}> : tensor<1xf32>
// CHECK: ins(%{{.*}}, %[[SCALE]], %[[BIAS]], %[[REAL]] :
func.func @real_bias(%x: tensor<1x2x!z>) -> tensor<1x1xf32> {
  %scale = arith.constant dense<0.125> : tensor<1xf32>
  %bias = arith.constant dense<96> : tensor<1xi32>
  %real = arith.constant dense<1.0> : tensor<1xf32>
  %c = arith.constant dense<[[3, 1]]> : tensor<1x2xi8>
  %w = quant.scast %c : tensor<1x2xi8> to tensor<1x2x!w>
  %s = a2q.matmul %x, %w {a2q.moments = #moments} : tensor<1x2x!z>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<32>>
  %d = a2q.decode %s : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  %e = tensor.empty() : tensor<1x1xf32>
  %f = linalg.generic {indexing_maps = [#all, #channel, #channel, #channel, #all], iterator_types = ["parallel", "parallel"]}
      ins(%d, %scale, %bias, %real : tensor<1x1xi32>, tensor<1xf32>, tensor<1xi32>, tensor<1xf32>) outs(%e : tensor<1x1xf32>) {
  ^bb0(%sum: i32, %k: f32, %b: i32, %r: f32, %out: f32):
    %0 = arith.addi %sum, %b : i32
    %1 = arith.sitofp %0 : i32 to f32
    %2 = arith.mulf %1, %k : f32
    %3 = arith.addf %r, %2 : f32
    linalg.yield %3 : f32
  } -> tensor<1x1xf32>
  return %f : tensor<1x1xf32>
}
