// What is left as it is, and why.
// RUN: a2q-opt %s --a2q-narrow-linalg --verify-diagnostics --split-input-file | FileCheck %s

// CHECK-LABEL: @variable_weights
func.func @variable_weights(%x: tensor<1x2xi8>, %w: tensor<2x1xi8>) -> tensor<1x1xi32> {
  %zero = arith.constant dense<0> : tensor<1x1xi32>
  // CHECK: linalg.matmul {{.*}} -> tensor<1x1xi32>
  // expected-remark @+1 {{accumulator kept: its weights are not constant}}
  %y = linalg.matmul ins(%x, %w : tensor<1x2xi8>, tensor<2x1xi8>) outs(%zero : tensor<1x1xi32>) -> tensor<1x1xi32>
  return %y : tensor<1x1xi32>
}

// -----

// outs(%c) adds c: nothing is known of it.
// CHECK-LABEL: @unknown_initial
func.func @unknown_initial(%x: tensor<1x2xi8>, %c: tensor<1x1xi32>) -> tensor<1x1xi32> {
  %w = arith.constant dense<1> : tensor<2x1xi8>
  // CHECK: linalg.matmul {{.*}} -> tensor<1x1xi32>
  // expected-remark @+1 {{accumulator kept: nothing is known of its initial value}}
  %y = linalg.matmul ins(%x, %w : tensor<1x2xi8>, tensor<2x1xi8>) outs(%c : tensor<1x1xi32>) -> tensor<1x1xi32>
  return %y : tensor<1x1xi32>
}

// -----

// Not even of what nobody wrote.
// CHECK-LABEL: @undefined_initial
func.func @undefined_initial(%x: tensor<1x2xi8>) -> tensor<1x1xi32> {
  %w = arith.constant dense<1> : tensor<2x1xi8>
  %c = tensor.empty() : tensor<1x1xi32>
  // CHECK: linalg.matmul {{.*}} -> tensor<1x1xi32>
  // expected-remark @+1 {{accumulator kept: nothing is known of its initial value}}
  %y = linalg.matmul ins(%x, %w : tensor<1x2xi8>, tensor<2x1xi8>) outs(%c : tensor<1x1xi32>) -> tensor<1x1xi32>
  return %y : tensor<1x1xi32>
}

// -----

// CHECK-LABEL: @variable_zero_point
func.func @variable_zero_point(%x: tensor<1x2xi8>, %zx: i32) -> tensor<1x1xi32> {
  %w = arith.constant dense<1> : tensor<2x1xi8>
  %zero = arith.constant dense<0> : tensor<1x1xi32>
  %c0 = arith.constant 0 : i32
  // CHECK: linalg.quantized_matmul {{.*}} -> tensor<1x1xi32>
  // expected-remark @+1 {{accumulator kept: the zero point of its activations is not constant}}
  %y = linalg.quantized_matmul ins(%x, %w, %zx, %c0 : tensor<1x2xi8>, tensor<2x1xi8>, i32, i32) outs(%zero : tensor<1x1xi32>) -> tensor<1x1xi32>
  return %y : tensor<1x1xi32>
}

// -----

// The data type says all there is to say.
// CHECK-LABEL: @wide_sum
func.func @wide_sum(%x: tensor<1x2xi16>) -> tensor<1x1xi32> {
  %w = arith.constant dense<127> : tensor<2x1xi8>
  %zero = arith.constant dense<0> : tensor<1x1xi32>
  // CHECK: linalg.matmul {{.*}} -> tensor<1x1xi32>
  // expected-remark @+1 {{accumulator kept: its sums need 24 bits, it has 32}}
  %y = linalg.matmul ins(%x, %w : tensor<1x2xi16>, tensor<2x1xi8>) outs(%zero : tensor<1x1xi32>) -> tensor<1x1xi32>
  return %y : tensor<1x1xi32>
}

// -----

// Nothing to sum.
// CHECK-LABEL: @no_term
func.func @no_term(%x: tensor<1x0xi8>) -> tensor<1x1xi32> {
  %w = arith.constant dense<> : tensor<0x1xi8>
  %zero = arith.constant dense<0> : tensor<1x1xi32>
  // CHECK: linalg.matmul {{.*}} -> tensor<1x1xi32>
  // expected-remark @+1 {{accumulator kept: its reduction length is not known}}
  %y = linalg.matmul ins(%x, %w : tensor<1x0xi8>, tensor<0x1xi8>) outs(%zero : tensor<1x1xi32>) -> tensor<1x1xi32>
  return %y : tensor<1x1xi32>
}

// -----

// No sums of products of integers: no remark either.
#id = affine_map<(d0) -> (d0)>
#none = affine_map<(d0) -> ()>
// CHECK-LABEL: @not_accumulating
func.func @not_accumulating(%x: tensor<4xi8>, %f: tensor<1x1xf32>, %m: memref<1x1xi8>, %n: memref<1x1xi32>) -> (tensor<i32>, tensor<4xi32>, tensor<1x1xf32>) {
  %zero = arith.constant dense<0> : tensor<i32>
  %zeros = arith.constant dense<0> : tensor<4xi32>
  // A sum without products.
  // CHECK: linalg.generic
  %y = linalg.generic {indexing_maps = [#id, #none], iterator_types = ["reduction"]} ins(%x : tensor<4xi8>) outs(%zero : tensor<i32>) {
  ^bb0(%a: i8, %c: i32):
    %0 = arith.extsi %a : i8 to i32
    %1 = arith.addi %c, %0 : i32
    linalg.yield %1 : i32
  } -> tensor<i32>
  // A largest product.
  // CHECK: linalg.generic
  %z = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%x, %x : tensor<4xi8>, tensor<4xi8>) outs(%zeros : tensor<4xi32>) {
  ^bb0(%a: i8, %b: i8, %c: i32):
    %0 = arith.extsi %a : i8 to i32
    %1 = arith.extsi %b : i8 to i32
    %2 = arith.muli %0, %1 : i32
    %3 = arith.maxsi %c, %2 : i32
    linalg.yield %3 : i32
  } -> tensor<4xi32>
  // CHECK: linalg.matmul {{.*}} -> tensor<1x1xf32>
  %g = linalg.matmul ins(%f, %f : tensor<1x1xf32>, tensor<1x1xf32>) outs(%f : tensor<1x1xf32>) -> tensor<1x1xf32>
  // CHECK: linalg.matmul ins({{.*}}memref
  linalg.matmul ins(%m, %m : memref<1x1xi8>, memref<1x1xi8>) outs(%n : memref<1x1xi32>)
  return %y, %z, %g : tensor<i32>, tensor<4xi32>, tensor<1x1xf32>
}
