// What the dialect takes, at the edges of its rules. The text, bytecode and
// generic forms are those of the same module.
// RUN: a2q-opt %s -o %t.mlir
// RUN: FileCheck %s --input-file=%t.mlir
// RUN: a2q-opt %t.mlir | diff - %t.mlir
// RUN: a2q-opt %s --emit-bytecode -o %t.mlirbc
// RUN: a2q-opt %t.mlirbc | diff - %t.mlir
// RUN: a2q-opt %s --mlir-print-op-generic | a2q-opt | diff - %t.mlir

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!s = !quant.uniform<i8:f32, 0.1:-128>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
!w2 = !quant.uniform<i8<-7:7>:f32:0, {0.5, 0.25}>

// The narrowest and the widest accumulator.
// CHECK-LABEL: @widths(tensor<!a2q.acc<1>>, tensor<!a2q.acc<64, wrap>>, tensor<!a2q.acc<1 x 1, 1>>)
func.func private @widths(tensor<!a2q.acc<1>>, tensor<!a2q.acc<64, wrap>>,
    tensor<!a2q.acc<1 x 1, 1>>)

// CHECK-LABEL: @dynamic_batch
func.func @dynamic_batch(%x: tensor<?x4x!x>) -> tensor<?x2x!a2q.acc<16>> {
  %c = arith.constant dense<1> : tensor<2x4xi8>
  %w = quant.scast %c : tensor<2x4xi8> to tensor<2x4x!w2>
  // CHECK: -> tensor<?x2x!a2q.acc<16>>
  %y = a2q.matmul %x, %w : tensor<?x4x!x>, tensor<2x4x!w2> -> tensor<?x2x!a2q.acc<16>>
  return %y : tensor<?x2x!a2q.acc<16>>
}

// Two activation operands: batched, dynamic channels, zero points other than 0.
// CHECK-LABEL: @activations
func.func @activations(%q: tensor<2x?x64x!s>, %k: tensor<2x?x64x!s>) -> tensor<2x?x?x!a2q.acc<24>> {
  // CHECK: -> tensor<2x?x?x!a2q.acc<24>>
  %y = a2q.matmul %q, %k : tensor<2x?x64x!s>, tensor<2x?x64x!s> -> tensor<2x?x?x!a2q.acc<24>>
  return %y : tensor<2x?x?x!a2q.acc<24>>
}

// Weights shared by all batches.
// CHECK-LABEL: @shared_weights
func.func @shared_weights(%x: tensor<2x3x4x!x>, %w: tensor<5x4x!w>) -> tensor<2x3x5x!a2q.acc<16>> {
  // CHECK: -> tensor<2x3x5x!a2q.acc<16>>
  %y = a2q.matmul %x, %w : tensor<2x3x4x!x>, tensor<5x4x!w> -> tensor<2x3x5x!a2q.acc<16>>
  return %y : tensor<2x3x5x!a2q.acc<16>>
}

// One product.
// CHECK-LABEL: @one_term
func.func @one_term(%x: tensor<1x1x!x>, %w: tensor<1x1x!w>) -> tensor<1x1x!a2q.acc<8>> {
  // CHECK: schedule <{{.*}}ends = {{\[\[}}1]], order = array<i64: 0>>
  %y = a2q.matmul %x, %w schedule <ends = [[1]], order = array<i64: 0>>
      : tensor<1x1x!x>, tensor<1x1x!w> -> tensor<1x1x!a2q.acc<8>>
  return %y : tensor<1x1x!a2q.acc<8>>
}

// Three filters for each of two input channels; every padding differs; a
// dynamic batch. h: (5 + 0 + 2 - 3) / 2 + 1, w: (4 + 1 + 3 - 5) / 1 + 1.
// CHECK-LABEL: @depthwise
func.func @depthwise(%x: tensor<?x5x4x2x!s>, %w: tensor<6x3x3x1x!w>) -> tensor<?x3x4x6x!a2q.acc<16>> {
  // CHECK: strides [2, 1] dilations [1, 2] padding [0, 1, 2, 3] groups 2 :
  %y = a2q.conv_2d %x, %w strides [2, 1] dilations [1, 2] padding [0, 1, 2, 3] groups 2
      : tensor<?x5x4x2x!s>, tensor<6x3x3x1x!w> -> tensor<?x3x4x6x!a2q.acc<16>>
  return %y : tensor<?x3x4x6x!a2q.acc<16>>
}

// A kernel that the image only holds with its padding, and a stride beyond it.
// CHECK-LABEL: @tiny_image
func.func @tiny_image(%x: tensor<1x1x1x1x!x>, %w: tensor<2x3x3x1x!w2>, %i: tensor<2xi8>) -> tensor<1x1x1x2x!a2q.acc<16>> {
  // CHECK: initial %{{.*}} : tensor<2xi8> strides [9, 9] padding [1, 1, 1, 1] :
  %y = a2q.conv_2d %x, %w initial %i : tensor<2xi8> strides [9, 9] padding [1, 1, 1, 1]
      : tensor<1x1x1x1x!x>, tensor<2x3x3x1x!w2> -> tensor<1x1x1x2x!a2q.acc<16>>
  return %y : tensor<1x1x1x2x!a2q.acc<16>>
}

// Three stages, four lanes, and starts that are a resource.
// CHECK-LABEL: @resource_starts
func.func @resource_starts(%x: tensor<1x8x!x>, %w: tensor<2x8x!w>) -> tensor<1x2x!a2q.acc<8 x 2, 16 x 4, 32>> {
  // CHECK: starts = [dense_resource<starts> : tensor<2x4x1xi16>, 0, dense<-1> : tensor<2x1x1xi64>]
  %y = a2q.matmul %x, %w schedule <ends = [[2, 4, 6, 8], [4, 8], [8]],
      starts = [dense_resource<starts> : tensor<2x4x1xi16>, 0, dense<-1> : tensor<2x1x1xi64>]>
      : tensor<1x8x!x>, tensor<2x8x!w> -> tensor<1x2x!a2q.acc<8 x 2, 16 x 4, 32>>
  return %y : tensor<1x2x!a2q.acc<8 x 2, 16 x 4, 32>>
}

// CHECK-LABEL: @four_lanes
func.func @four_lanes(%x: tensor<1x8x!x>, %w: tensor<1x8x!w>) -> tensor<1x1x!a2q.acc<16>> {
  // CHECK: starts = [dense<{{\[\[\[}}-1, 2, -3, 4]]]> : tensor<1x1x4xi8>]
  %y = a2q.matmul %x, %w schedule <ends = [[8]], starts = [dense<[[[-1, 2, -3, 4]]]> : tensor<1x1x4xi8>]>
      : tensor<1x8x!x>, tensor<1x8x!w> -> tensor<1x1x!a2q.acc<16>>
  return %y : tensor<1x1x!a2q.acc<16>>
}

// The ends of the code range are codes.
// CHECK-LABEL: @extreme_codes
func.func @extreme_codes(%x: tensor<1x2x!x>) -> tensor<1x1x!a2q.acc<16>> {
  %c = arith.constant dense<[[-7, 7]]> : tensor<1x2xi8>
  %w = quant.scast %c : tensor<1x2xi8> to tensor<1x2x!w>
  // CHECK: a2q.matmul
  %y = a2q.matmul %x, %w : tensor<1x2x!x>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<16>>
  return %y : tensor<1x1x!a2q.acc<16>>
}

// A dynamic channel with one multiplier; a decoded width that just fits.
// CHECK-LABEL: @dynamic_channels
func.func @dynamic_channels(%y: tensor<1x?x!a2q.acc<16>>) -> (tensor<1x?x!x>, tensor<1x?xi16>) {
  // CHECK: a2q.requantize
  %q = a2q.requantize %y multiplier dense<1> : tensor<1xi32> shift dense<62> : tensor<1xi8>
      bias dense<-1> : tensor<1xi64> rounding half_away
      : tensor<1x?x!a2q.acc<16>> to tensor<1x?x!x>
  // CHECK: a2q.decode {{.*}} to tensor<1x?xi16>
  %d = a2q.decode %y : tensor<1x?x!a2q.acc<16>> to tensor<1x?xi16>
  return %q, %d : tensor<1x?x!x>, tensor<1x?xi16>
}

// Rank 0, no element, and a scale per channel.
// CHECK-LABEL: @reals
func.func @reals(%a: tensor<f32>, %b: tensor<0xf32>, %c: tensor<?x2xf32>) {
  // CHECK: to tensor<!quant
  %0 = a2q.quantize %a rounding toward_zero : tensor<f32> to tensor<!x>
  // CHECK: to tensor<0x!quant
  %1 = a2q.quantize %b rounding half_away : tensor<0xf32> to tensor<0x!x>
  // CHECK: to tensor<?x2x!quant
  %2 = a2q.quantize %c rounding half_up : tensor<?x2xf32> to tensor<?x2x!quant.uniform<i8:f32:1, {0.1:-128, 0.2:127}>>
  return
}

// CHECK-LABEL: @mac
func.func @mac(%a: vector<4xi32>, %x: vector<16xi8>, %b: vector<4xi64>, %y: vector<4xi64>) {
  // CHECK: a2q.mac %{{.*}}, %{{.*}} unsigned, %{{.*}} unsigned :
  %0 = a2q.mac %a, %x unsigned, %x unsigned : vector<4xi32>, vector<16xi8>, vector<16xi8> -> vector<4xi32>
  // CHECK: a2q.mac %{{.*}}, %{{.*}}, %{{.*}} : vector<4xi64>
  %1 = a2q.mac %b, %y, %y : vector<4xi64>, vector<4xi64>, vector<4xi64> -> vector<4xi64>
  return
}

// CHECK-LABEL: @ranges(%{{.*}}: tensor<4xi8> {a2q.range = [-3, 9]}, %{{.*}}: i8 {a2q.range = [0, 200]})
func.func @ranges(%x: tensor<4xi8> {a2q.range = [-3, 9]}, %y: i8 {a2q.range = [0, 200]}) {
  return
}

{-#
  dialect_resources: {
    builtin: {
      starts: "0x02000000010002000300040005000600FFFFFEFF"
    }
  }
#-}
