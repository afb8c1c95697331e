// Saturation in IR that never heard of a2q, one layer for each line of the
// table.

// RUN: a2q-check --saturation %s > %t.out; test $? -eq 1
// RUN: FileCheck %s --input-file=%t.out

// CHECK: linalg.matmul#0 8 0/2 0.0% 0 safe
// CHECK: linalg.generic#1 8 2/2 100.0% 128012 unsafe
// CHECK: linalg.matmul#2 8 - - - unknown
// CHECK: linalg.matmul#3 8 - - - safe
// CHECK: linalg.matmul#4 8 - - - unknown
// CHECK: tosa.conv2d#5 12 1/1 66.7% 128012 unsafe
// CHECK: tosa.depthwise_conv2d#6 4 1/2 25.0% 8543 unsafe
// CHECK: linalg.generic#7 12 1/1 16.7% 32003 unsafe
// CHECK: linalg.generic#1: rows pairs: channel 0, terms 0 and 1: 127 * [0, 255] + 127 * [0, 255] reaches 64770
// CHECK: linalg.matmul#2: unknown: its weights are not constant, and two products of codes can reach [-65280, 64770]
// CHECK: linalg.matmul#4: unknown: its activations have 32 bits, and byte products take 8
// CHECK: tosa.conv2d#5: im2col pairs: channel 0, terms 0 and 1
// CHECK: tosa.conv2d#5: channels pairs: channel 0, terms 0 and 1
// CHECK: tosa.depthwise_conv2d#6: im2col pairs: channel 0, terms 0 and 1: 127 * [1, 255] + 35 * [1, 255] reaches 41310
// CHECK: tosa.depthwise_conv2d#6: channels pairs: safe
// CHECK: linalg.generic#7: im2col pairs: channel 0, terms 8 and 1: 127 * [0, 255] + 127 * [0, 255] reaches 64770
// CHECK: linalg.generic#7: channels pairs: safe
// CHECK: avx2: 2 safe, 4 unsafe, 2 unknown; ranges proven

#row = affine_map<(m, n, k) -> (m, k)>
#column = affine_map<(m, n, k) -> (k, n)>
#result = affine_map<(m, n, k) -> (m, n)>
#planes = affine_map<(n, f, h, w, c, kh, kw) -> (n, c, h + kh, w + kw)>
#first = affine_map<(n, f, h, w, c, kh, kw) -> (f, c, kh, kw)>
#none = affine_map<(n, f, h, w, c, kh, kw) -> (n, f, h, w)>
func.func @main(%s8: tensor<4x8xi8> {a2q.range = [-128, -1]}, %u8: tensor<4x8xi8>,
                %other: tensor<8x2xi8>, %few: tensor<8x2xi8> {a2q.range = [-3, 3]},
                %wide: tensor<4x8xi32> {a2q.range = [0, 9]},
                %image: tensor<1x3x3x3xi8>, %channels: tensor<1x2x2x2xi8> {a2q.range = [-127, 127]}, %planes: tensor<1x3x2x2xi8>)
    -> (tensor<1x1x1x1xi32>, tensor<4x2xi32>, tensor<4x2xi32>, tensor<4x2xi32>, tensor<4x2xi32>, tensor<4x2xi32>, tensor<1x2x2x1xi32>, tensor<1x1x1x2xi32>) {
  %zero = arith.constant dense<0> : tensor<4x2xi32>
  %w = arith.constant dense<127> : tensor<8x2xi8>
  // Signed codes below 0 are at most 127 when they are shifted.
  %0 = linalg.matmul ins(%s8, %w : tensor<4x8xi8>, tensor<8x2xi8>) outs(%zero : tensor<4x2xi32>) -> tensor<4x2xi32>
  // Unsigned codes times signed weights.
  %1 = linalg.generic {indexing_maps = [#row, #column, #result], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%u8, %w : tensor<4x8xi8>, tensor<8x2xi8>) outs(%zero : tensor<4x2xi32>) {
    ^bb0(%x: i8, %q: i8, %sum: i32):
      %a = arith.extui %x : i8 to i32
      %b = arith.extsi %q : i8 to i32
      %product = arith.muli %a, %b : i32
      %next = arith.addi %sum, %product : i32
      linalg.yield %next : i32
  } -> tensor<4x2xi32>
  // Two activations: of any codes, and of codes too small to matter.
  %2 = linalg.matmul ins(%u8, %other : tensor<4x8xi8>, tensor<8x2xi8>) outs(%zero : tensor<4x2xi32>) -> tensor<4x2xi32>
  %3 = linalg.matmul ins(%u8, %few : tensor<4x8xi8>, tensor<8x2xi8>) outs(%zero : tensor<4x2xi32>) -> tensor<4x2xi32>
  %w32 = arith.constant dense<127> : tensor<8x2xi32>
  %4 = linalg.matmul ins(%wide, %w32 : tensor<4x8xi32>, tensor<8x2xi32>) outs(%zero : tensor<4x2xi32>) -> tensor<4x2xi32>
  // Three channels: two of a tap meet, and im2col pairs the third with the next tap.
  %filter = arith.constant dense<[[[[127, 127, 0], [0, 127, 127]], [[127, 127, 0], [0, 127, 127]]]]> : tensor<1x2x2x3xi8>
  %bias = arith.constant dense<0> : tensor<1xi32>
  %z = arith.constant dense<0> : tensor<1xi8>
  %5 = tosa.conv2d %image, %filter, %bias, %z, %z {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>}
      : (tensor<1x3x3x3xi8>, tensor<1x2x2x3xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x2x2x1xi32>
  %taps = arith.constant dense<[[[[127], [1]], [[35], [1]]], [[[1], [1]], [[1], [1]]]]> : tensor<2x2x2x1xi8>
  %biases = arith.constant dense<0> : tensor<2xi32>
  %6 = tosa.depthwise_conv2d %channels, %taps, %biases, %z, %z {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>}
      : (tensor<1x2x2x2xi8>, tensor<2x2x2x1xi8>, tensor<2xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x1x1x2xi32>
  // Channels first: a term is channel * 4 + tap. Three channels of two taps, in
  // a row (tap, channel): 0 0 127 | 127 0 0 | ...
  %first = arith.constant dense<[[[[0, 127], [0, 0]], [[0, 0], [0, 0]], [[127, 0], [0, 0]]]]> : tensor<1x3x2x2xi8>
  %none = arith.constant dense<0> : tensor<1x1x1x1xi32>
  %7 = linalg.generic {indexing_maps = [#planes, #first, #none],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%planes, %first : tensor<1x3x2x2xi8>, tensor<1x3x2x2xi8>) outs(%none : tensor<1x1x1x1xi32>) {
    ^bb0(%x: i8, %q: i8, %sum: i32):
      %a = arith.extsi %x : i8 to i32
      %b = arith.extsi %q : i8 to i32
      %product = arith.muli %a, %b : i32
      %next = arith.addi %sum, %product : i32
      linalg.yield %next : i32
  } -> tensor<1x1x1x1xi32>
  return %7, %0, %1, %2, %3, %4, %5, %6 : tensor<1x1x1x1xi32>, tensor<4x2xi32>, tensor<4x2xi32>, tensor<4x2xi32>, tensor<4x2xi32>, tensor<4x2xi32>, tensor<1x2x2x1xi32>, tensor<1x1x1x2xi32>
}
