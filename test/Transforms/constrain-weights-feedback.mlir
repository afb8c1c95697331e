// RUN: a2q-opt %s -a2q-constrain-weights='width=8 method=optq' | FileCheck %s
// RUN: a2q-opt %s -a2q-constrain-weights='width=8 method=gpfq' | FileCheck %s
// RUN: a2q-opt %s -a2q-constrain-weights='width=8 method=optimal' | FileCheck %s --check-prefix=OPTIMAL

// Tiles of one term: in 8 bits codes of [0, 15] have 17 units of weight. Each
// channel is a group (depthwise), and has to cut 20 to 17. In group 0 both
// inputs are alike, and the three units that the first weight loses go to the
// second; in group 1 they have nothing to do with each other.
!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-31:31>:f32, 0.5>
!y = !quant.uniform<u8<0:15>:f32, 0.2>

// CHECK-LABEL: @groups
// CHECK{LITERAL}: dense<[[[[17], [8]]], [[[17], [5]]]]> : tensor<2x1x2x1xi8>
// CHECK: constrained to 8 bits per 1 term by {{optq|gpfq}}-fixed-scale: 2 of 2 channels changed
// CHECK-SAME: !a2q.acc<8 x 1, 9>
// OPTIMAL-LABEL: @groups
// OPTIMAL{LITERAL}: dense<[[[[17], [5]]], [[[17], [5]]]]> : tensor<2x1x2x1xi8>
func.func @groups(%x: tensor<1x1x2x2x!x>) -> tensor<1x1x1x2xi32> {
  %c = arith.constant dense<[[[[20], [5]]], [[[20], [5]]]]> : tensor<2x1x2x1xi8>
  %w = quant.scast %c : tensor<2x1x2x1xi8> to tensor<2x1x2x1x!w>
  %s = a2q.conv_2d %x, %w groups 2 {a2q.constrain = {tile = 1}, a2q.moments = #a2q.moments<samples = 4, mean = dense<0.0> : tensor<2x2xf64>, products = dense<[[[2.0, 1.999], [1.999, 2.0]], [[2.0, 0.0], [0.0, 2.0]]]> : tensor<2x2x2xf64>>}
      : tensor<1x1x2x2x!x>, tensor<2x1x2x1x!w> -> tensor<1x1x1x2x!a2q.acc<32>>
  %d = a2q.decode %s : tensor<1x1x1x2x!a2q.acc<32>> to tensor<1x1x1x2xi32>
  return %d : tensor<1x1x1x2xi32>
}

// Moments are in the default order, whatever the order of the schedule: inputs
// 0 and 2 are alike.
// CHECK-LABEL: @order
// CHECK{LITERAL}: dense<[[17, 5, 8]]> : tensor<1x3xi8>
// CHECK: order = array<i64: 1, 2, 0>
func.func @order(%x: tensor<1x3x!x>) -> tensor<1x1xi32> {
  %c = arith.constant dense<[[20, 5, 5]]> : tensor<1x3xi8>
  %w = quant.scast %c : tensor<1x3xi8> to tensor<1x3x!w>
  %s = a2q.matmul %x, %w schedule <ends = [[3]], order = array<i64: 1, 2, 0>>
      {a2q.constrain = {tile = 1}, a2q.moments = #a2q.moments<samples = 4, mean = dense<0.0> : tensor<1x3xf64>, products = dense<[[[2.0, 0.0, 1.999], [0.0, 2.0, 0.0], [1.999, 0.0, 2.0]]]> : tensor<1x3x3xf64>>}
      : tensor<1x3x!x>, tensor<1x3x!w> -> tensor<1x1x!a2q.acc<32>>
  %d = a2q.decode %s : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

// With a free scale 20 and 10 become 2 and 1 of ten times the scale, or as good.
// CHECK-LABEL: @scale
// CHECK: constrained to 8 bits by {{optq|gpfq}}: 1 of 1 channels changed
// CHECK-SAME: weight error 0.000, output error 0.000
func.func @scale(%x: tensor<1x2x!x>) -> tensor<1x1x!y> {
  %c = arith.constant dense<[[20, 10]]> : tensor<1x2xi8>
  %w = quant.scast %c : tensor<1x2xi8> to tensor<1x2x!w>
  %s = a2q.matmul %x, %w {a2q.moments = #a2q.moments<samples = 4, mean = dense<1.0> : tensor<1x2xf64>, products = dense<[[[2.0, 1.5], [1.5, 2.0]]]> : tensor<1x2x2xf64>>}
      : tensor<1x2x!x>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<32>>
  %y = a2q.requantize %s multiplier dense<0.125> : tensor<1xf32>
      : tensor<1x1x!a2q.acc<32>> to tensor<1x1x!y>
  return %y : tensor<1x1x!y>
}

// A group whose inputs are always 0 has the nearest integers; the other one
// has its moments still.
// CHECK-LABEL: @dead_group
// CHECK{LITERAL}: dense<[[[[17], [8]]], [[[17], [5]]]]> : tensor<2x1x2x1xi8>
// CHECK: constrained to 8 bits per 1 term by {{optq|gpfq}}-fixed-scale: 2 of 2 channels changed
// OPTIMAL-LABEL: @dead_group
// OPTIMAL{LITERAL}: dense<[[[[17], [5]]], [[[17], [5]]]]> : tensor<2x1x2x1xi8>
func.func @dead_group(%x: tensor<1x1x2x2x!x>) -> tensor<1x1x1x2xi32> {
  %c = arith.constant dense<[[[[20], [5]]], [[[20], [5]]]]> : tensor<2x1x2x1xi8>
  %w = quant.scast %c : tensor<2x1x2x1xi8> to tensor<2x1x2x1x!w>
  %s = a2q.conv_2d %x, %w groups 2 {a2q.constrain = {tile = 1}, a2q.moments = #a2q.moments<samples = 4, mean = dense<0.0> : tensor<2x2xf64>, products = dense<[[[2.0, 1.999], [1.999, 2.0]], [[0.0, 0.0], [0.0, 0.0]]]> : tensor<2x2x2xf64>>}
      : tensor<1x1x2x2x!x>, tensor<2x1x2x1x!w> -> tensor<1x1x1x2x!a2q.acc<32>>
  %d = a2q.decode %s : tensor<1x1x1x2x!a2q.acc<32>> to tensor<1x1x1x2xi32>
  return %d : tensor<1x1x1x2xi32>
}

// One sample of two inputs is too little to trust, and that is said.
// CHECK-LABEL: @few_samples
// CHECK: constrained to 8 bits by {{optq|gpfq}}-fixed-scale: {{.*}}, damped for 1 samples of 2 inputs
func.func @few_samples(%x: tensor<1x2x!x>) -> tensor<1x1xi32> {
  %c = arith.constant dense<[[20, 5]]> : tensor<1x2xi8>
  %w = quant.scast %c : tensor<1x2xi8> to tensor<1x2x!w>
  %s = a2q.matmul %x, %w {a2q.moments = #a2q.moments<samples = 1, mean = dense<1.0> : tensor<1x2xf64>, products = dense<1.0> : tensor<1x2x2xf64>>}
      : tensor<1x2x!x>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<32>>
  %d = a2q.decode %s : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}
