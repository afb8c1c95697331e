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

// A residual sum of codes and its Relu: operators of tosa on reals.
!u4 = !quant.uniform<u8<0:15>:f32, 0.5>
!s4 = !quant.uniform<u8<0:15>:f32, 0.5:8>
!u8 = !quant.uniform<u8:f32, 0.5>
// CHECK-LABEL: @residual
func.func @residual(%x: tensor<4x!u4>, %y: tensor<4x!s4>) -> (tensor<4x!u8>, tensor<4x!u8>, tensor<4x!u8>) {
  %0 = a2q.dequantize %x : tensor<4x!u4> to tensor<4xf32>
  %1 = a2q.dequantize %y : tensor<4x!s4> to tensor<4xf32>
  %2 = tosa.add %0, %1 : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %3 = tosa.clamp %2 {min_val = 0.0 : f32, max_val = 0x7F800000 : f32} : (tensor<4xf32>) -> tensor<4xf32>
  // 7.5 + 3.5
  // CHECK: a2q.quantize {{.*}}a2q.range = [0, 22]
  %a = a2q.quantize %3 : tensor<4xf32> to tensor<4x!u8>
  %4 = tosa.clamp %3 {min_val = 1.0 : f32, max_val = 7.5 : f32} : (tensor<4xf32>) -> tensor<4xf32>
  // CHECK: a2q.quantize {{.*}}a2q.range = [2, 15]
  %b = a2q.quantize %4 : tensor<4xf32> to tensor<4x!u8>
  // From 2.5 to 7.5 + 4, but no more than what was added first, 0 to 7.5.
  %5 = tosa.sub %0, %1 : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %least = "tosa.const"() {values = dense<2.5> : tensor<4xf32>} : () -> tensor<4xf32>
  %7 = tosa.maximum %5, %least : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %8 = tosa.minimum %7, %0 : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  // CHECK: a2q.quantize {{.*}}a2q.range = [0, 15]
  %c = a2q.quantize %8 : tensor<4xf32> to tensor<4x!u8>
  return %a, %b, %c : tensor<4x!u8>, tensor<4x!u8>, tensor<4x!u8>
}
