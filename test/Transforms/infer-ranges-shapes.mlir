// RUN: a2q-opt %s --a2q-infer-ranges | FileCheck %s

// Through what moves and pools elements. %x has 2 channels, in [0, 3] and
// [5, 7]; whatever keeps the channels apart keeps their ranges apart.

// CHECK-LABEL: @pad
func.func @pad(%x: tensor<1x2x2x2xi8> {a2q.range = {axis = 3, lo = array<i64: 0, 5>, hi = array<i64: 3, 7>}})
    -> (tensor<1x4x2x2xi8>, tensor<1x2x2x3xi8>) {
  %z = arith.constant 9 : i8
  // CHECK: } {a2q.range = {axis = 3 : i64, hi = array<i64: 9, 9>, lo = array<i64: 0, 5>}}
  %p = tensor.pad %x low[0, 1, 0, 0] high[0, 1, 0, 0] {
  ^bb0(%a: index, %b: index, %c: index, %d: index):
    tensor.yield %z : i8
  } : tensor<1x2x2x2xi8> to tensor<1x4x2x2xi8>
  // Channels themselves padded.
  // CHECK: } {a2q.range = [0, 9]}
  %q = tensor.pad %x low[0, 0, 0, 0] high[0, 0, 0, 1] {
  ^bb0(%a: index, %b: index, %c: index, %d: index):
    tensor.yield %z : i8
  } : tensor<1x2x2x2xi8> to tensor<1x2x2x3xi8>
  return %p, %q : tensor<1x4x2x2xi8>, tensor<1x2x2x3xi8>
}

// CHECK-LABEL: @shapes
func.func @shapes(%x: tensor<1x2x2x2xi8> {a2q.range = {axis = 3, lo = array<i64: 0, 5>, hi = array<i64: 3, 7>}},
                  %y: tensor<1x2x2x1xi8> {a2q.range = [-1, 1]}, %v: tensor<2x1xi8> {a2q.range = {axis = 0, lo = array<i64: 0, 5>, hi = array<i64: 3, 7>}}) {
  // CHECK: tensor.concat dim(3) {{.*}}{a2q.range = {axis = 3 : i64, hi = array<i64: 3, 7, 1>, lo = array<i64: 0, 5, -1>}}
  %c3 = tensor.concat dim(3) %x, %y : (tensor<1x2x2x2xi8>, tensor<1x2x2x1xi8>) -> tensor<1x2x2x3xi8>
  // CHECK: tensor.concat dim(1) {{.*}}{a2q.range = {axis = 3 : i64, hi = array<i64: 3, 7>, lo = array<i64: 0, 5>}}
  %c1 = tensor.concat dim(1) %x, %x : (tensor<1x2x2x2xi8>, tensor<1x2x2x2xi8>) -> tensor<1x4x2x2xi8>
  // Positions and channels mixed.
  // CHECK: tensor.collapse_shape {{.*}} {a2q.range = [0, 7]}
  %f = tensor.collapse_shape %x [[0], [1, 2, 3]] : tensor<1x2x2x2xi8> into tensor<1x8xi8>
  // CHECK: tensor.collapse_shape {{.*}} {a2q.range = {axis = 1 : i64,
  %g = tensor.collapse_shape %x [[0, 1, 2], [3]] : tensor<1x2x2x2xi8> into tensor<4x2xi8>
  // CHECK: tensor.collapse_shape {{.*}} {a2q.range = {axis = 0 : i64,
  %h = tensor.collapse_shape %v [[0, 1]] : tensor<2x1xi8> into tensor<2xi8>
  // CHECK: tensor.expand_shape {{.*}} {a2q.range = {axis = 1 : i64,
  %e = tensor.expand_shape %h [[0, 1, 2]] output_shape [1, 2, 1] : tensor<2xi8> into tensor<1x2x1xi8>
  // CHECK: tensor.extract_slice {{.*}} {a2q.range = [5, 7]}
  %s = tensor.extract_slice %x[0, 0, 0, 1] [1, 2, 2, 1] [1, 1, 1, 1] : tensor<1x2x2x2xi8> to tensor<2x2xi8>
  // CHECK: tensor.extract_slice {{.*}} {a2q.range = {axis = 2 : i64,
  %t = tensor.extract_slice %x[0, 0, 0, 0] [1, 1, 2, 2] [1, 1, 1, 1] : tensor<1x2x2x2xi8> to tensor<1x2x2xi8>
  // CHECK: tensor.insert_slice {{.*}} {a2q.range = {axis = 3 : i64, hi = array<i64: 3, 7>, lo = array<i64: -1, -1>}}
  %i = tensor.insert_slice %y into %x[0, 0, 0, 0] [1, 2, 2, 1] [1, 1, 1, 1] : tensor<1x2x2x1xi8> into tensor<1x2x2x2xi8>
  %o = tensor.empty() : tensor<1x2x2x2xi8>
  // CHECK: linalg.transpose
  // CHECK: {a2q.range = {axis = 1 : i64, hi = array<i64: 3, 7>, lo = array<i64: 0, 5>}}
  %tr = linalg.transpose ins(%x : tensor<1x2x2x2xi8>) outs(%o : tensor<1x2x2x2xi8>) permutation = [0, 3, 1, 2]
  // CHECK: linalg.broadcast
  // CHECK: {a2q.range = {axis = 1 : i64, hi = array<i64: 3, 7>, lo = array<i64: 0, 5>}}
  %bo = tensor.empty() : tensor<4x2xi8>
  %br = linalg.broadcast ins(%h : tensor<2xi8>) outs(%bo : tensor<4x2xi8>) dimensions = [0]
  return
}

// CHECK-LABEL: @pool
func.func @pool(%x: tensor<1x4x4x2xi8> {a2q.range = {axis = 3, lo = array<i64: 0, 5>, hi = array<i64: 3, 7>}}) {
  %w = tensor.empty() : tensor<2x2xi8>
  %o = tensor.empty() : tensor<1x2x2x2xi8>
  %min = arith.constant -128 : i8
  // CHECK: linalg.fill {a2q.range = [-128, -128]}
  %f = linalg.fill ins(%min : i8) outs(%o : tensor<1x2x2x2xi8>) -> tensor<1x2x2x2xi8>
  // At least one element is in each window, so -128 is never the maximum.
  // CHECK: linalg.pooling_nhwc_max {a2q.range = {axis = 3 : i64, hi = array<i64: 3, 7>, lo = array<i64: 0, 5>}
  %m = linalg.pooling_nhwc_max {strides = dense<2> : vector<2xi64>, dilations = dense<1> : vector<2xi64>}
      ins(%x, %w : tensor<1x4x4x2xi8>, tensor<2x2xi8>) outs(%f : tensor<1x2x2x2xi8>) -> tensor<1x2x2x2xi8>
  // -128 as unsigned is 128, and stays the maximum.
  // CHECK: linalg.pooling_nhwc_max_unsigned {a2q.range = [-128, -128]
  %u = linalg.pooling_nhwc_max_unsigned {strides = dense<2> : vector<2xi64>, dilations = dense<1> : vector<2xi64>}
      ins(%x, %w : tensor<1x4x4x2xi8>, tensor<2x2xi8>) outs(%f : tensor<1x2x2x2xi8>) -> tensor<1x2x2x2xi8>
  // CHECK: linalg.pooling_nhwc_min {a2q.range = [-128, -128]
  %n = linalg.pooling_nhwc_min {strides = dense<2> : vector<2xi64>, dilations = dense<1> : vector<2xi64>}
      ins(%x, %w : tensor<1x4x4x2xi8>, tensor<2x2xi8>) outs(%f : tensor<1x2x2x2xi8>) -> tensor<1x2x2x2xi8>
  %one = arith.constant 1 : i8
  %g = linalg.fill ins(%one : i8) outs(%o : tensor<1x2x2x2xi8>) -> tensor<1x2x2x2xi8>
  // Four elements and the 1 that the sum begins with.
  // CHECK: linalg.pooling_nhwc_sum {a2q.range = {axis = 3 : i64, hi = array<i64: 13, 29>, lo = array<i64: 1, 21>}
  %s = linalg.pooling_nhwc_sum {strides = dense<2> : vector<2xi64>, dilations = dense<1> : vector<2xi64>}
      ins(%x, %w : tensor<1x4x4x2xi8>, tensor<2x2xi8>) outs(%g : tensor<1x2x2x2xi8>) -> tensor<1x2x2x2xi8>
  return
}

#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d1)>
#col = affine_map<(d0, d1) -> (d0)>

// CHECK-LABEL: @generic
func.func @generic(%x: tensor<4x2xi8> {a2q.range = {axis = 1, lo = array<i64: -4, 5>, hi = array<i64: 3, 7>}},
                   %b: tensor<2xi32> {a2q.range = {axis = 0, lo = array<i64: 0, 10>, hi = array<i64: 0, 20>}}) {
  %o = tensor.empty() : tensor<4x2xi32>
  %zero = arith.constant 0 : i32
  // ReLU(x) + b, per channel.
  // CHECK: linalg.generic
  // CHECK-SAME: attrs = {a2q.range = {axis = 1 : i64, hi = array<i64: 3, 27>, lo = array<i64: 0, 15>}}
  %r = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x, %b : tensor<4x2xi8>, tensor<2xi32>) outs(%o : tensor<4x2xi32>) {
  ^bb0(%e: i8, %a: i32, %u: i32):
    %w = arith.extsi %e : i8 to i32
    %m = arith.maxsi %w, %zero : i32
    %s = arith.addi %m, %a : i32
    linalg.yield %s : i32
  } -> tensor<4x2xi32>
  // The sum of a row from an unknown start, and from 0: two of [0, 27].
  // CHECK: linalg.reduce
  // CHECK-SAME: {a2q.range = [-2147483648, 2147483647]}
  %ro = tensor.empty() : tensor<4xi32>
  %q = linalg.reduce { arith.addi } ins(%r : tensor<4x2xi32>) outs(%ro : tensor<4xi32>) dimensions = [1]
  // CHECK: linalg.reduce
  // CHECK-SAME: {a2q.range = [0, 54]}
  %z = linalg.fill ins(%zero : i32) outs(%ro : tensor<4xi32>) -> tensor<4xi32>
  %p = linalg.reduce { arith.addi } ins(%r : tensor<4x2xi32>) outs(%z : tensor<4xi32>) dimensions = [1]
  return
}

// CHECK-LABEL: @tosa
func.func @tosa(%x: tensor<1x4x4x2xi8> {a2q.range = {axis = 3, lo = array<i64: 0, 5>, hi = array<i64: 3, 7>}}) {
  // CHECK: tosa.clamp {{.*}}a2q.range = {axis = 3 : i64, hi = array<i64: 3, 6>, lo = array<i64: 2, 5>}
  %c = tosa.clamp %x {min_val = 2 : i8, max_val = 6 : i8} : (tensor<1x4x4x2xi8>) -> tensor<1x4x4x2xi8>
  // CHECK: tosa.max_pool2d {{.*}}a2q.range = {axis = 3 : i64, hi = array<i64: 3, 7>, lo = array<i64: 0, 5>}
  %m = tosa.max_pool2d %x {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>, pad = array<i64: 0, 0, 0, 0>} : (tensor<1x4x4x2xi8>) -> tensor<1x2x2x2xi8>
  // CHECK: tosa.transpose {{.*}}a2q.range = {axis = 1 : i64,
  %t = tosa.transpose %x {perms = array<i32: 0, 3, 1, 2>} : (tensor<1x4x4x2xi8>) -> tensor<1x2x4x4xi8>
  // CHECK: tosa.concat {{.*}}a2q.range = {axis = 3 : i64, hi = array<i64: 3, 7, 3, 6>, lo = array<i64: 0, 5, 2, 5>}
  %k = tosa.concat %x, %c {axis = 3 : i32} : (tensor<1x4x4x2xi8>, tensor<1x4x4x2xi8>) -> tensor<1x4x4x4xi8>
  // CHECK: tosa.cast {{.*}}a2q.range = {axis = 3 : i64, hi = array<i64: 3, 7>, lo = array<i64: 0, 5>}
  %i = tosa.cast %x : (tensor<1x4x4x2xi8>) -> tensor<1x4x4x2xi32>
  return
}

// Reals of one value say nothing of those beside them.
// CHECK-LABEL: @real_concat
func.func @real_concat(%x: tensor<1x2x!quant.uniform<i8<-4:4>:f32, 5.000000e-01>>, %y: tensor<1x2x!quant.uniform<i8<-20:30>:f32, 5.000000e-01>>, %z: tensor<1x2xf32>) {
  %a = a2q.dequantize %x : tensor<1x2x!quant.uniform<i8<-4:4>:f32, 5.000000e-01>> to tensor<1x2xf32>
  %b = a2q.dequantize %y : tensor<1x2x!quant.uniform<i8<-20:30>:f32, 5.000000e-01>> to tensor<1x2xf32>
  %c = tosa.concat %a, %b {axis = 1 : i32} : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x4xf32>
  // CHECK: a2q.quantize {{.*}}a2q.range = [-20, 30]
  %q = a2q.quantize %c : tensor<1x4xf32> to tensor<1x4x!quant.uniform<i8:f32, 5.000000e-01>>
  %d = tensor.concat dim(1) %a, %b : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x4xf32>
  // CHECK: a2q.quantize {{.*}}a2q.range = [-20, 30]
  %r = a2q.quantize %d : tensor<1x4xf32> to tensor<1x4x!quant.uniform<i8:f32, 5.000000e-01>>
  %e = tosa.concat %a, %z {axis = 1 : i32} : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x4xf32>
  // CHECK: a2q.quantize {{.*}}a2q.range = [-128, 127]
  %s = a2q.quantize %e : tensor<1x4xf32> to tensor<1x4x!quant.uniform<i8:f32, 5.000000e-01>>
  return
}

// Rows go together in a window; images and channels stay apart.
// CHECK-LABEL: @pooled_rows
func.func @pooled_rows(%x: tensor<1x4x1x2xi8> {a2q.range = {axis = 1, lo = array<i64: 0, 0, 0, 0>, hi = array<i64: 1, 1, 100, 100>}},
                       %y: tensor<2x2x1x2xi8> {a2q.range = {axis = 0, lo = array<i64: 0, 0>, hi = array<i64: 1, 100>}}) {
  // CHECK: tosa.max_pool2d {{.*}} {a2q.range = [0, 100],
  %p = tosa.max_pool2d %x {kernel = array<i64: 2, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 2, 1>} : (tensor<1x4x1x2xi8>) -> tensor<1x2x1x2xi8>
  // CHECK: tosa.max_pool2d {{.*}} {a2q.range = {axis = 0 : i64, hi = array<i64: 1, 100>,
  %q = tosa.max_pool2d %y {kernel = array<i64: 2, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 2, 1>} : (tensor<2x2x1x2xi8>) -> tensor<2x1x1x2xi8>
  return
}

// Elements that the body does not write keep what they were, 100; and windows
// that overlap do not add as often as the loops run.
// CHECK-LABEL: @not_all_written
func.func @not_all_written(%x: tensor<4xi8>, %y: tensor<2x2xi8>) {
  %c = arith.constant dense<100> : tensor<4x4xi8>
  %z = arith.constant dense<0> : tensor<3xi8>
  %three = arith.constant 3 : i8
  // CHECK: linalg.generic {{.*}} {a2q.range = [-128, 127]}
  %d = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i, i)>], iterator_types = ["parallel"]} ins(%x : tensor<4xi8>) outs(%c : tensor<4x4xi8>) {
  ^bb0(%a: i8, %o: i8):
    linalg.yield %three : i8
  } -> tensor<4x4xi8>
  // CHECK: linalg.generic {{.*}} {a2q.range = [-128, 127]}
  %k = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i, 0)>], iterator_types = ["parallel"]} ins(%x : tensor<4xi8>) outs(%c : tensor<4x4xi8>) {
  ^bb0(%a: i8, %o: i8):
    linalg.yield %three : i8
  } -> tensor<4x4xi8>
  // CHECK: linalg.generic {{.*}} {a2q.range = [-128, 127]}
  %w = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i + j)>], iterator_types = ["reduction", "reduction"]} ins(%y : tensor<2x2xi8>) outs(%z : tensor<3xi8>) {
  ^bb0(%a: i8, %o: i8):
    %s = arith.addi %o, %three : i8
    linalg.yield %s : i8
  } -> tensor<3xi8>
  return
}

// The first result has all loops, the second counts along one of them.
// CHECK-LABEL: @second_result_reduces
func.func @second_result_reduces(%x: tensor<2x9xi8>) -> tensor<2xi8> {
  %e = tensor.empty() : tensor<2x9xi8>
  %z = arith.constant dense<0> : tensor<2xi8>
  %one = arith.constant 1 : i8
  %r:2 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<2x9xi8>) outs(%e, %z : tensor<2x9xi8>, tensor<2xi8>) {
  ^bb0(%a: i8, %b: i8, %c: i8):
    %s = arith.addi %c, %one : i8
    linalg.yield %a, %s : i8, i8
  } -> (tensor<2x9xi8>, tensor<2xi8>)
  // CHECK: tensor.cast {{.*}} {a2q.range = [-128, 127]}
  %t = tensor.cast %r#1 : tensor<2xi8> to tensor<2xi8>
  return %t : tensor<2xi8>
}

// As many ranges as indices, but the type does not say how many: joined.
// CHECK-LABEL: @unknown_size
func.func @unknown_size(%x: tensor<2xi8> {a2q.range = {axis = 0, lo = array<i64: 0, 5>, hi = array<i64: 3, 7>}}) -> tensor<2xi8> {
  // CHECK: tensor.cast {{.*}} {a2q.range = [0, 7]} : tensor<2xi8> to tensor<?xi8>
  %d = tensor.cast %x : tensor<2xi8> to tensor<?xi8>
  // CHECK: tensor.cast {{.*}} {a2q.range = {axis = 0 : i64,
  %s = tensor.cast %d : tensor<?xi8> to tensor<2xi8>
  return %s : tensor<2xi8>
}

// What is looked up is one of the elements, wherever the index points: an
// element of each kind of operand that a body reads for itself.
// CHECK-LABEL: @looked_up
func.func @looked_up(%x: tensor<2x9xi8> {a2q.range = {axis = 0, lo = array<i64: -4, 5>, hi = array<i64: 3, 7>}}) -> tensor<3xi8> {
  %places = arith.constant dense<[0, 4, 8]> : tensor<3xi32>
  %e = tensor.empty() : tensor<3xi8>
  %c1 = arith.constant 1 : index
  // CHECK: linalg.generic
  // CHECK-SAME: attrs = {a2q.range = [-4, 7]}
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%e : tensor<3xi8>) {
  ^bb0(%u: i8):
    %i = linalg.index 0 : index
    %p = tensor.extract %places[%i] : tensor<3xi32>
    %at = arith.index_cast %p : i32 to index
    %a = tensor.extract %x[%c1, %at] : tensor<2x9xi8>
    linalg.yield %a : i8
  } -> tensor<3xi8>
  return %r : tensor<3xi8>
}
