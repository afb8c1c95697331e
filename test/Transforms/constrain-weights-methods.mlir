// RUN: a2q-opt %s -a2q-constrain-weights='width=8 method=a2q' | FileCheck %s --check-prefixes=CHECK,A2Q
// RUN: a2q-opt %s -a2q-constrain-weights='width=8 method=a2q-plus' | FileCheck %s --check-prefixes=CHECK,PLUS
// RUN: a2q-opt %s -a2q-constrain-weights='width=8 method=ep-init' | FileCheck %s --check-prefixes=CHECK,EP
// RUN: a2q-opt %s -a2q-constrain-weights='width=8 method=project' | FileCheck %s --check-prefixes=CHECK,PROJECT
// RUN: a2q-opt %s -a2q-constrain-weights='width=8 method=optimal-fixed-scale bound=exact' | FileCheck %s --check-prefixes=CHECK,FIXED
// RUN: a2q-opt %s -a2q-constrain-weights='width=8 method=optimal-fixed-scale' | FileCheck %s --check-prefixes=CHECK,CENTRED
// RUN: a2q-opt %s -a2q-constrain-weights='width=8 bound=exact' | FileCheck %s --check-prefixes=CHECK,OPTIMAL
// RUN: not a2q-opt %s -a2q-constrain-weights='width=8 method=top-b' 2>&1 | FileCheck %s --check-prefix=TOPB
// RUN: not a2q-opt %s -a2q-constrain-weights='method=a2q-plus bound=centred' 2>&1 | FileCheck %s --check-prefix=BOUND
// RUN: not a2q-opt %s -a2q-constrain-weights='method=a2q bound=magic' 2>&1 | FileCheck %s --check-prefix=MAGIC

// BOUND: error: method 'a2q-plus' has no bound 'centred'
// BOUND: note: its bounds: a2q-plus
// MAGIC: error: method 'a2q' has no bound 'magic'
// MAGIC: note: its bounds: a2q, centred

// Codes [0, 15] and 8 bits: the l1 norm 20 of channel 0 becomes at most
//   a2q 7 = 127 / 16, a2q-plus 8 of each sign, exact 8 of each sign,
//   centred 17 = 255 / 15, from the start -(15 pos - 15 neg + 1) / 2.
// EP-init takes 3.02 off each weight and truncates. The nearest integers with 8
// positive units of (7, 6, 4, 1) lose ten, three each and the single unit of 1.
// `optimal` takes twice the scale, <u, q> / <q, q> = 49 / 23: its integers point
// the same way as the weights. Bias and multiplier follow: 100 / 2.1304 is 47.
!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
!y = !quant.uniform<u8<0:15>:f32, 0.2>

// CHECK-LABEL: @scales
// A2Q{LITERAL}: dense<[[2, 2, 1, 0, 0], [1, 2, 3, -1, 0]]> : tensor<2x5xi8>
// PLUS{LITERAL}: dense<[[3, 2, 0, -5, -2], [1, 2, 3, -1, 0]]> : tensor<2x5xi8>
// EP{LITERAL}: dense<[[3, 2, 0, 0, 0], [1, 2, 3, -1, 0]]> : tensor<2x5xi8>
// PROJECT{LITERAL}: dense<[[6, 5, 3, -1, 0], [1, 2, 3, -1, 0]]> : tensor<2x5xi8>
// PROJECT{LITERAL}: starts = [dense<[[[-98]], [[0]]]>
// FIXED{LITERAL}: dense<[[4, 3, 1, -2, 0], [1, 2, 3, -1, 0]]> : tensor<2x5xi8>
// FIXED-NOT: schedule
// CENTRED{LITERAL}: dense<[[7, 5, 3, -1, 1], [1, 2, 3, -1, 0]]> : tensor<2x5xi8>
// CENTRED{LITERAL}: starts = [dense<[[[-113]], [[0]]]>
// OPTIMAL{LITERAL}: dense<[[3, 3, 2, -1, 0], [1, 2, 3, -1, 0]]> : tensor<2x5xi8>
// OPTIMAL: quant.scast {{.*}} to tensor<2x5x!quant.uniform<i8<-7:7>:f32:0, {1.065{{[0-9]*}},5.000000e-01}>>
// OPTIMAL: sparsity 0.10 to 0.20, weight error 0.013, scales by 1.00 to 2.13
// CHECK: -> tensor<1x2x!a2q.acc<8>>
// OPTIMAL: multiplier dense<[0.266304344, 1.250000e-01]> : tensor<2xf32> bias dense<[47, 50]> : tensor<2xi32>
func.func @scales(%x: tensor<1x5x!x>) -> tensor<1x2x!y> {
  %c = arith.constant dense<[[7, 6, 4, -2, 1], [1, 2, 3, -1, 0]]> : tensor<2x5xi8>
  %w = quant.scast %c : tensor<2x5xi8> to tensor<2x5x!w>
  %s = a2q.matmul %x, %w : tensor<1x5x!x>, tensor<2x5x!w> -> tensor<1x2x!a2q.acc<32>>
  %y = a2q.requantize %s multiplier dense<0.125> : tensor<1xf32> bias dense<[100, 50]> : tensor<2xi32>
      : tensor<1x2x!a2q.acc<32>> to tensor<1x2x!y>
  return %y : tensor<1x2x!y>
}

// The zero point 3: the bias holds 100 = 148 - 3 * 16. 148 / 2.1304 is 69, and
// the new weights sum to 7: 69 - 3 * 7.
!z = !quant.uniform<u8<0:15>:f32, 0.1:3>
// CHECK-LABEL: @zero_point
// OPTIMAL: multiplier dense<0.266304344> : tensor<1xf32> bias dense<48> : tensor<1xi32>
func.func @zero_point(%x: tensor<1x5x!z>) -> tensor<1x1x!y> {
  %c = arith.constant dense<[[7, 6, 4, -2, 1]]> : tensor<1x5xi8>
  %w = quant.scast %c : tensor<1x5xi8> to tensor<1x5x!w>
  %s = a2q.matmul %x, %w : tensor<1x5x!z>, tensor<1x5x!w> -> tensor<1x1x!a2q.acc<32>>
  %y = a2q.requantize %s multiplier dense<0.125> : tensor<1xf32> bias dense<100> : tensor<1xi32>
      : tensor<1x1x!a2q.acc<32>> to tensor<1x1x!y>
  return %y : tensor<1x1x!y>
}

// Integers that are read as such cannot change their scale, nor can a
// multiplier in fixed point: the nearest integers at the old one.
// CHECK-LABEL: @decode
// OPTIMAL{LITERAL}: dense<[[4, 3, 1, -2, 0]]> : tensor<1x5xi8>
// OPTIMAL: constrained to 8 bits by optimal-fixed-scale
// TOPB: error: method 'top-b' changes the scale of weights, and 'a2q.decode' cannot follow it
// TOPB: note: an f32 multiplier of a2q.requantize can, and constant scales of floats; optimal-fixed-scale keeps the scale
func.func @decode(%x: tensor<1x5x!x>) -> tensor<1x1xi32> {
  %c = arith.constant dense<[[7, 6, 4, -2, 1]]> : tensor<1x5xi8>
  %w = quant.scast %c : tensor<1x5xi8> to tensor<1x5x!w>
  %s = a2q.matmul %x, %w : tensor<1x5x!x>, tensor<1x5x!w> -> tensor<1x1x!a2q.acc<32>>
  %d = a2q.decode %s : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

// Decoded sums that become floats with constants can: 0.125 * 2.1304, and the
// bias as in @zero_point. The old constants stay for their other users.
// CHECK-LABEL: @floats
// OPTIMAL-DAG: %[[SCALE:.*]] = arith.constant dense<0.266304344> : tensor<1xf32>
// OPTIMAL-DAG: %[[BIAS:.*]] = arith.constant dense<48> : tensor<1xi32>
// OPTIMAL-DAG: %[[OLD:.*]] = arith.constant dense<1.250000e-01> : tensor<1xf32>
// OPTIMAL-DAG{LITERAL}: dense<[[3, 3, 2, -1, 0]]> : tensor<1x5xi8>
// OPTIMAL: linalg.generic
// OPTIMAL-SAME: ins(%{{.*}}, %[[SCALE]], %[[BIAS]] : tensor<1x1xi32>, tensor<1xf32>, tensor<1xi32>)
// OPTIMAL: return %{{.*}}, %[[OLD]]
#all = affine_map<(d0, d1) -> (d0, d1)>
#channel = affine_map<(d0, d1) -> (d1)>
func.func @floats(%x: tensor<1x5x!z>) -> (tensor<1x1xf32>, tensor<1xf32>) {
  %scale = arith.constant dense<0.125> : tensor<1xf32>
  %bias = arith.constant dense<100> : tensor<1xi32>
  %c = arith.constant dense<[[7, 6, 4, -2, 1]]> : tensor<1x5xi8>
  %w = quant.scast %c : tensor<1x5xi8> to tensor<1x5x!w>
  %s = a2q.matmul %x, %w : tensor<1x5x!z>, tensor<1x5x!w> -> tensor<1x1x!a2q.acc<32>>
  %d = a2q.decode %s : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  %e = tensor.empty() : tensor<1x1xf32>
  %f = linalg.generic {indexing_maps = [#all, #channel, #channel, #all], iterator_types = ["parallel", "parallel"]}
      ins(%d, %scale, %bias : tensor<1x1xi32>, tensor<1xf32>, tensor<1xi32>) outs(%e : tensor<1x1xf32>) {
  ^bb0(%sum: i32, %k: f32, %b: i32, %out: f32):
    %0 = arith.addi %sum, %b : i32
    %1 = arith.sitofp %0 : i32 to f32
    %2 = arith.mulf %1, %k : f32
    linalg.yield %2 : f32
  } -> tensor<1x1xf32>
  return %f, %scale : tensor<1x1xf32>, tensor<1xf32>
}

// A scale that is no constant stays, and so does that of the weights.
// CHECK-LABEL: @unknown_scale
// OPTIMAL{LITERAL}: dense<[[4, 3, 1, -2, 0]]> : tensor<1x5xi8>
// OPTIMAL: linalg.generic
// OPTIMAL-SAME: ins(%{{.*}}, %arg1 : tensor<1x1xi32>, tensor<1xf32>)
func.func @unknown_scale(%x: tensor<1x5x!x>, %scale: tensor<1xf32>) -> tensor<1x1xf32> {
  %c = arith.constant dense<[[7, 6, 4, -2, 1]]> : tensor<1x5xi8>
  %w = quant.scast %c : tensor<1x5xi8> to tensor<1x5x!w>
  %s = a2q.matmul %x, %w : tensor<1x5x!x>, tensor<1x5x!w> -> tensor<1x1x!a2q.acc<32>>
  %d = a2q.decode %s : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  %e = tensor.empty() : tensor<1x1xf32>
  %f = linalg.generic {indexing_maps = [#all, #channel, #all], iterator_types = ["parallel", "parallel"]}
      ins(%d, %scale : tensor<1x1xi32>, tensor<1xf32>) outs(%e : tensor<1x1xf32>) {
  ^bb0(%sum: i32, %k: f32, %out: f32):
    %1 = arith.sitofp %sum : i32 to f32
    %2 = arith.mulf %1, %k : f32
    linalg.yield %2 : f32
  } -> tensor<1x1xf32>
  return %f : tensor<1x1xf32>
}

// CHECK-LABEL: @fixed_point
// OPTIMAL{LITERAL}: dense<[[4, 3, 1, -2, 0]]> : tensor<1x5xi8>
// OPTIMAL: multiplier dense<64> : tensor<1xi32> shift dense<9> : tensor<1xi32>
func.func @fixed_point(%x: tensor<1x5x!x>) -> tensor<1x1x!y> {
  %c = arith.constant dense<[[7, 6, 4, -2, 1]]> : tensor<1x5xi8>
  %w = quant.scast %c : tensor<1x5xi8> to tensor<1x5x!w>
  %s = a2q.matmul %x, %w : tensor<1x5x!x>, tensor<1x5x!w> -> tensor<1x1x!a2q.acc<32>>
  %y = a2q.requantize %s multiplier dense<64> : tensor<1xi32> shift dense<9> : tensor<1xi32>
      : tensor<1x1x!a2q.acc<32>> to tensor<1x1x!y>
  return %y : tensor<1x1x!y>
}
