// RUN: a2q-opt %s -split-input-file -verify-diagnostics -a2q-constrain-weights=width=3
// RUN: not a2q-opt %s -split-input-file -a2q-constrain-weights=width=0 2>&1 | FileCheck %s --check-prefix=WIDTH0
// RUN: not a2q-opt %s -split-input-file -a2q-constrain-weights=width=65 2>&1 | FileCheck %s --check-prefix=WIDTH65
// RUN: not a2q-opt %s -split-input-file -a2q-constrain-weights=method=magic 2>&1 | FileCheck %s --check-prefix=METHOD
// RUN: not a2q-opt %s -split-input-file -a2q-constrain-weights=method=optq 2>&1 | FileCheck %s --check-prefix=MOMENTS

// WIDTH0: error: an accumulator has from 1 to 64 bits, found 0
// WIDTH65: error: an accumulator has from 1 to 64 bits, found 65
// METHOD: error: unknown method 'magic'
// METHOD: note: known methods: a2q, a2q-plus, ep-init, gpfq, gpfq-fixed-scale, optimal, optimal-fixed-scale, optq, optq-fixed-scale, project, top-b
// MOMENTS: error: method 'optq' needs the moments of the layer's inputs
// MOMENTS: note: a2q-quantize collects them, and with --moments keeps them in the attribute a2q.moments; optimal is the best method that needs none

// Codes [0, 15] have 4 bits; 3 bits of accumulator span 7.
!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @too_narrow(%x: tensor<1x2x!x>) -> tensor<1x2xi32> {
  %c = arith.constant dense<[[0, 0], [1, 2]]> : tensor<2x2xi8>
  %w = quant.scast %c : tensor<2x2xi8> to tensor<2x2x!w>
  // expected-error @+2 {{channel 1 would lose all its weights: 3 bits hold no product of codes in [0, 15]}}
  // expected-note @+1 {{the smallest width that holds one is 4}}
  %s = a2q.matmul %x, %w : tensor<1x2x!x>, tensor<2x2x!w> -> tensor<1x2x!a2q.acc<32>>
  %d = a2q.decode %s : tensor<1x2x!a2q.acc<32>> to tensor<1x2xi32>
  return %d : tensor<1x2xi32>
}

// -----

// All channels that the width would empty are named, in runs.
!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @too_narrow_for_many(%x: tensor<1x1x1x1x!x>) -> tensor<1x1x1x7xi32> {
  %c = arith.constant dense<[[[[0]]], [[[1]]], [[[2]]], [[[-3]]], [[[0]]], [[[1]]], [[[-1]]]]> : tensor<7x1x1x1xi8>
  %w = quant.scast %c : tensor<7x1x1x1xi8> to tensor<7x1x1x1x!w>
  // expected-error @+2 {{channels 1 to 3, 5 and 6 would lose all their weights: 3 bits hold no product of codes in [0, 15]}}
  // expected-note @+1 {{the smallest width that holds one is 4}}
  %s = a2q.conv_2d %x, %w : tensor<1x1x1x1x!x>, tensor<7x1x1x1x!w> -> tensor<1x1x1x7x!a2q.acc<32>>
  %d = a2q.decode %s : tensor<1x1x1x7x!a2q.acc<32>> to tensor<1x1x1x7xi32>
  return %d : tensor<1x1x1x7xi32>
}

// -----

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
// expected-note @+1 {{a2q-stage-accumulators narrows accumulators of any product, and a2q.constrain = {skip} leaves a layer alone}}
func.func @not_constant(%x: tensor<1x2x!x>, %w: tensor<2x2x!w>) -> tensor<1x2xi32> {
  // expected-error @+1 {{weights cannot be constrained: they are not constants}}
  %s = a2q.matmul %x, %w {a2q.constrain = {method = "optimal"}} : tensor<1x2x!x>, tensor<2x2x!w> -> tensor<1x2x!a2q.acc<32>>
  %d = a2q.decode %s : tensor<1x2x!a2q.acc<32>> to tensor<1x2xi32>
  return %d : tensor<1x2xi32>
}

// -----

// What follows a decode may hold the correction for the zero point anywhere.
!x = !quant.uniform<u8<0:1>:f32, 0.1:1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @zero_point(%x: tensor<1x2x!x>) -> tensor<1x1xi32> {
  %c = arith.constant dense<[[7, 5]]> : tensor<1x2xi8>
  %w = quant.scast %c : tensor<1x2xi8> to tensor<1x2x!w>
  // expected-error @+1 {{weights cannot be changed: the activations have zero point 1, and what corrects 'a2q.decode' for it is not known}}
  %s = a2q.matmul %x, %w : tensor<1x2x!x>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<32>>
  // expected-note @+1 {{only the bias of a2q.requantize can follow the weights}}
  %d = a2q.decode %s : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

// -----

// Codes [-8, 7] times +1 are 4 bits, times -1 they are 5. Only channels without
// a positive weight lose all.
!x = !quant.uniform<i8<-8:7>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @too_narrow_for_a_sign(%x: tensor<1x2x!x>) -> tensor<1x4xi32> {
  %c = arith.constant dense<[[-1, -2], [-3, 1], [1, 0], [-1, 0]]> : tensor<4x2xi8>
  %w = quant.scast %c : tensor<4x2xi8> to tensor<4x2x!w>
  // expected-error @+2 {{channels 0 and 3 would lose all their weights: 4 bits hold no product of a negative weight and codes in [-8, 7]}}
  // expected-note @+1 {{the smallest width that holds one is 5}}
  %s = a2q.matmul %x, %w {a2q.constrain = {width = 4, bound = "exact"}} : tensor<1x2x!x>, tensor<4x2x!w> -> tensor<1x4x!a2q.acc<32>>
  %d = a2q.decode %s : tensor<1x4x!a2q.acc<32>> to tensor<1x4xi32>
  return %d : tensor<1x4xi32>
}

// -----

// Less than both signs need: codes in [0, 16] are 6 bits times +1, 5 times -1.
!x = !quant.uniform<u8<0:16>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @too_narrow_for_both(%x: tensor<1x2x!x>) -> tensor<1x3xi32> {
  %c = arith.constant dense<[[-1, -2], [3, 1], [1, -1]]> : tensor<3x2xi8>
  %w = quant.scast %c : tensor<3x2xi8> to tensor<3x2x!w>
  // expected-error @+3 {{channels 0 to 2 would lose all their weights: 4 bits hold no product of codes in [0, 16]}}
  // expected-note @+2 {{the smallest width that holds one is 5 for codes in [0, 16], of channels 0 and 2}}
  // expected-note @+1 {{the smallest width that holds one is 6 for codes in [0, 16], of channel 1}}
  %s = a2q.matmul %x, %w {a2q.constrain = {width = 4, bound = "exact"}} : tensor<1x2x!x>, tensor<3x2x!w> -> tensor<1x3x!a2q.acc<32>>
  %d = a2q.decode %s : tensor<1x3x!a2q.acc<32>> to tensor<1x3xi32>
  return %d : tensor<1x3xi32>
}

// -----

// The weights fit; the initial value does not, and no weight can change that.
!x = !quant.uniform<u8<0:1>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @initial(%x: tensor<1x2x!x>) -> tensor<1x1xi32> {
  %c = arith.constant dense<[[1, 1]]> : tensor<1x2xi8>
  %w = quant.scast %c : tensor<1x2xi8> to tensor<1x2x!w>
  %b = arith.constant dense<[100]> : tensor<1xi32>
  // expected-error @+2 {{channel 0 needs 7 bits after its weights were constrained, the accumulator has 3}}
  // expected-note @+1 {{weights are held to the budget, an initial value is not: it belongs to the bias of a2q.requantize}}
  %s = a2q.matmul %x, %w initial %b : tensor<1xi32> : tensor<1x2x!x>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<32>>
  %d = a2q.decode %s : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

// -----

!x = !quant.uniform<u8<0:1>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @type_is_fixed(%x: tensor<1x2x!x>) -> tensor<1x1x!a2q.acc<32>> {
  %c = arith.constant dense<[[1, 1]]> : tensor<1x2xi8>
  %w = quant.scast %c : tensor<1x2xi8> to tensor<1x2x!w>
  // expected-error @+1 {{the accumulator cannot change: 'func.return' fixes its type}}
  %s = a2q.matmul %x, %w : tensor<1x2x!x>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<32>>
  return %s : tensor<1x1x!a2q.acc<32>>
}

// -----

// A tile of one term has no more bits than one of all.
!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @too_narrow_tile(%x: tensor<1x2x!x>) -> tensor<1x1xi32> {
  %c = arith.constant dense<[[1, 2]]> : tensor<1x2xi8>
  %w = quant.scast %c : tensor<1x2xi8> to tensor<1x2x!w>
  // expected-error @+2 {{channel 0 would lose all its weights: 3 bits hold no product of codes in [0, 15]}}
  // expected-note @+1 {{the smallest width that holds one is 4}}
  %s = a2q.matmul %x, %w {a2q.constrain = {tile = 1}} : tensor<1x2x!x>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<32>>
  %d = a2q.decode %s : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

// -----

// The options of a layer go together, or not.
!x = !quant.uniform<u8<0:1>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @bound(%x: tensor<1x2x!x>) -> tensor<1x1xi32> {
  %c = arith.constant dense<[[1, 1]]> : tensor<1x2xi8>
  %w = quant.scast %c : tensor<1x2xi8> to tensor<1x2x!w>
  // expected-error @+2 {{method 'a2q-plus' has no bound 'exact'}}
  // expected-note @+1 {{its bounds: a2q-plus}}
  %s = a2q.matmul %x, %w {a2q.constrain = {method = "a2q-plus", bound = "exact"}} : tensor<1x2x!x>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<32>>
  %d = a2q.decode %s : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

// -----

// The codes of %y are in [0, 36], which fits the 7 bits of the layer that is
// skipped; the multiplier that follows the first weights lets them be larger.
!x = !quant.uniform<u8<0:3>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
!y = !quant.uniform<u8<0:255>:f32, 0.2>
#moments = #a2q.moments<samples = 4, mean = dense<[[1.0, 0.5]]> : tensor<1x2xf64>, products = dense<[[[2.0, 0.5], [0.5, 0.5]]]> : tensor<1x2x2xf64>, sum_mean = dense<10.0> : tensor<1xf64>, sum_variance = dense<5.125> : tensor<1xf64>>
func.func @skipped_reader(%x: tensor<1x2x!x>) -> tensor<1x1xi32> {
  %c = arith.constant dense<[[7, 5]]> : tensor<1x2xi8>
  %w = quant.scast %c : tensor<1x2xi8> to tensor<1x2x!w>
  %s = a2q.matmul %x, %w {a2q.constrain = {width = 4}, a2q.moments = #moments} : tensor<1x2x!x>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<32>>
  %y = a2q.requantize %s multiplier dense<1.0> : tensor<1xf32> : tensor<1x1x!a2q.acc<32>> to tensor<1x1x!y>
  %c2 = arith.constant dense<[[1]]> : tensor<1x1xi8>
  %w2 = quant.scast %c2 : tensor<1x1xi8> to tensor<1x1x!w>
  // expected-error @+2 {{channel 0 needs 9 bits once weights are constrained, the accumulator has 7}}
  // expected-note @+1 {{a2q.constrain = {skip} keeps an accumulator, whatever codes reach it; give it a wider type, or the layer a constraint}}
  %t = a2q.matmul %y, %w2 {a2q.constrain = {skip}} : tensor<1x1x!y>, tensor<1x1x!w> -> tensor<1x1x!a2q.acc<7>>
  %d = a2q.decode %t : tensor<1x1x!a2q.acc<7>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

// -----

// The bias is 2^31 - 4 with what it has to take, and sums are up to 12.
!x = !quant.uniform<u8<0:3>:f32, 0.1:1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
#all = affine_map<(d0, d1) -> (d0, d1)>
#channel = affine_map<(d0, d1) -> (d1)>
#moments = #a2q.moments<samples = 4, mean = dense<[[1.0, 0.5]]> : tensor<1x2xf64>, products = dense<[[[2.0, 0.5], [0.5, 0.5]]]> : tensor<1x2x2xf64>, sum_mean = dense<0.375> : tensor<1xf64>, sum_variance = dense<0.023125> : tensor<1xf64>>
func.func @no_room(%x: tensor<1x2x!x>) -> tensor<1x1xf32> {
  %scale = arith.constant dense<0.125> : tensor<1xf32>
  %bias = arith.constant dense<2147483640> : tensor<1xi32>
  %c = arith.constant dense<[[3, 1]]> : tensor<1x2xi8>
  %w = quant.scast %c : tensor<1x2xi8> to tensor<1x2x!w>
  %s = a2q.matmul %x, %w {a2q.constrain = {width = 32}, a2q.moments = #moments} : tensor<1x2x!x>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<32>>
  %d = a2q.decode %s : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  %e = tensor.empty() : tensor<1x1xf32>
  // expected-error @+1 {{the bias of channel 0 leaves 32 bits}}
  %f = linalg.generic {indexing_maps = [#all, #channel, #channel, #all], iterator_types = ["parallel", "parallel"]}
      ins(%d, %scale, %bias : tensor<1x1xi32>, tensor<1xf32>, tensor<1xi32>) outs(%e : tensor<1x1xf32>) {
  ^bb0(%sum: i32, %k: f32, %b: i32, %out: f32):
    %0 = arith.addi %sum, %b : i32
    %1 = arith.sitofp %0 : i32 to f32
    %2 = arith.mulf %1, %k : f32
    linalg.yield %2 : f32
  } -> tensor<1x1xf32>
  return %f : tensor<1x1xf32>
}
