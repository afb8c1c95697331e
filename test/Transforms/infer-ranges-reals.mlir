// RUN: a2q-opt %s --a2q-infer-ranges | FileCheck %s

#id = affine_map<(a) -> (a)>

// Sums become codes as PyTorch has it: a product, a quotient, a rounding, a clamp
// by comparison, and the conversion, each an operation of its own.
// CHECK-LABEL: @codes
func.func @codes(%x: tensor<4xi32> {a2q.range = [-50, 90]}) -> (tensor<4xi8>, tensor<4xi8>) {
  %half = arith.constant 0.5 : f32
  %two = arith.constant 2.0 : f32
  %zero = arith.constant 0.0 : f32
  %most = arith.constant 15.0 : f32
  %e = tensor.empty() : tensor<4xi8>
  // CHECK: linalg.generic {{.*}}a2q.range = [0, 15]
  %c = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : tensor<4xi32>) outs(%e : tensor<4xi8>) {
  ^bb0(%in: i32, %out: i8):
    %0 = arith.sitofp %in : i32 to f32
    %1 = arith.mulf %0, %half : f32
    %2 = arith.divf %1, %two : f32
    %3 = math.roundeven %2 : f32
    %4 = arith.cmpf ult, %3, %zero : f32
    %5 = arith.select %4, %zero, %3 : f32
    %6 = arith.cmpf ugt, %5, %most : f32
    %7 = arith.select %6, %most, %5 : f32
    %8 = arith.fptosi %7 : f32 to i8
    linalg.yield %8 : i8
  } -> tensor<4xi8>
  // Without the clamp: -12.5 and 22.5, half to even.
  // CHECK: linalg.generic {{.*}}a2q.range = [-12, 22]
  %d = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : tensor<4xi32>) outs(%e : tensor<4xi8>) {
  ^bb0(%in: i32, %out: i8):
    %0 = arith.sitofp %in : i32 to f32
    %1 = arith.mulf %0, %half : f32
    %2 = arith.divf %1, %two : f32
    %3 = math.roundeven %2 : f32
    %8 = arith.fptosi %3 : f32 to i8
    linalg.yield %8 : i8
  } -> tensor<4xi8>
  return %c, %d : tensor<4xi8>, tensor<4xi8>
}

// Comparisons the other way round, and one whose choice is of other values.
// CHECK-LABEL: @choices
func.func @choices(%x: tensor<4xi32> {a2q.range = [-50, 90]}) -> (tensor<4xi32>, tensor<4xi32>) {
  %zero = arith.constant 0.0 : f32
  %most = arith.constant 15.0 : f32
  %e = tensor.empty() : tensor<4xi32>
  // CHECK: linalg.generic {{.*}}a2q.range = [-50, 15]
  %c = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : tensor<4xi32>) outs(%e : tensor<4xi32>) {
  ^bb0(%in: i32, %out: i32):
    %0 = arith.sitofp %in : i32 to f32
    %4 = arith.cmpf olt, %0, %most : f32
    %5 = arith.select %4, %0, %most : f32
    %8 = arith.fptosi %5 : f32 to i32
    linalg.yield %8 : i32
  } -> tensor<4xi32>
  // CHECK: linalg.generic {{.*}}a2q.range = [-50, 90]
  %d = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : tensor<4xi32>) outs(%e : tensor<4xi32>) {
  ^bb0(%in: i32, %out: i32):
    %0 = arith.sitofp %in : i32 to f32
    %4 = arith.cmpf olt, %0, %zero : f32
    %5 = arith.select %4, %0, %most : f32
    %8 = arith.fptosi %5 : f32 to i32
    linalg.yield %8 : i32
  } -> tensor<4xi32>
  return %c, %d : tensor<4xi32>, tensor<4xi32>
}
