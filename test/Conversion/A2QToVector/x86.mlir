// RUN: a2q-opt %s --convert-a2q-to-vector=isa=avx2 --canonicalize --cse | FileCheck %s --check-prefixes=CHECK,AVX2
// RUN: a2q-opt %s --convert-a2q-to-vector=isa=avx512vnni --canonicalize --cse | FileCheck %s --check-prefixes=CHECK,VNNI
// RUN: a2q-opt %s --convert-a2q-to-vector=isa=avx2 --remarks-filter=a2q-kernels -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: a2q-opt %s --convert-a2q-to-vector=isa=avx2 --a2q-verify-macs

!x = !quant.uniform<u8:f32, 0.1>
!s = !quant.uniform<i8:f32, 0.1>
!w = !quant.uniform<i8:f32, 0.5>

// Four products of an output are neighbours and meet in two lanes of 16 bits.
// The last step begins early, so that it reads nothing beyond the row: what the
// first one has counted has weight 0. `pmaddwd` with ones adds the lanes; one
// instruction of VNNI adds all four.
// CHECK-LABEL: @pairs
// CHECK-DAG: %[[W:.*]] = arith.constant dense<{{\[\[\[\[}}64, 63, -128, 0, {{.*}}[0, 0, 0, 1, {{.*}}> : tensor<1x1x2x16xi8>
// AVX2-DAG: %[[ONES:.*]] = arith.constant dense<1> : vector<8xi16>
// CHECK-NOT: tensor.pad
// CHECK: vector.transfer_read %collapsed[%c0]
// CHECK: vector.transfer_read %collapsed[%c1]
// AVX2: a2q.mac %{{.*}}, %{{.*}} unsigned, %{{.*}} pair_exact range [0, 255] : vector<8xi16>, vector<16xi8>, vector<16xi8>
// AVX2: a2q.mac %{{.*}}, %{{.*}}, %[[ONES]] : vector<4xi32>, vector<8xi16>, vector<8xi16>
// VNNI: a2q.mac %{{.*}}, %{{.*}} unsigned, %{{.*}} : vector<4xi32>, vector<16xi8>, vector<16xi8>
// REMARK: remark: loc("pairs"): {{.*}}the kernel is pmaddubsw
func.func @pairs(%x: tensor<1x5x!x>) -> tensor<1x2xi32> {
  %c = arith.constant dense<[[64, 63, -128, 0, 1], [1, 1, 1, 1, 1]]> : tensor<2x5xi8>
  %w = quant.scast %c : tensor<2x5xi8> to tensor<2x5x!w>
  %a = a2q.matmul %x, %w : tensor<1x5x!x>, tensor<2x5x!w> -> tensor<1x2x!a2q.acc<16>> loc("pairs")
  %d = a2q.decode %a : tensor<1x2x!a2q.acc<16>> to tensor<1x2xi32>
  return %d : tensor<1x2xi32>
}

// One product more and the pair saturates.
// CHECK-LABEL: @saturates
// AVX2: a2q.mac {{.*}} : vector<4xi32>, vector<8xi8>, vector<8xi16>
// VNNI: a2q.mac {{.*}} : vector<4xi32>, vector<16xi8>, vector<16xi8>
// REMARK: remark: loc("saturates"): {{.*}}the kernel is pmaddwd {{.*}}; not pmaddubsw: weights 127 and 2 of channel 0 can saturate 16 bits
func.func @saturates(%x: tensor<1x2x!x>) -> tensor<1x1xi32> {
  %c = arith.constant dense<[[127, 2]]> : tensor<1x2xi8>
  %w = quant.scast %c : tensor<1x2xi8> to tensor<1x2x!w>
  %a = a2q.matmul %x, %w schedule <ends = [[2]], starts = [dense<-16447> : tensor<1x1x1xi16>]>
      : tensor<1x2x!x>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<16>> loc("saturates")
  %d = a2q.decode %a : tensor<1x1x!a2q.acc<16>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

// The range that is proven counts, not the type's.
// CHECK-LABEL: @narrow_range
// AVX2: a2q.mac {{.*}} pair_exact range [0, 10]
func.func @narrow_range(%x: tensor<1x4x!x> {a2q.range = [0, 10]}) -> tensor<1x1xi32> {
  %c = arith.constant dense<[[127, 2, 0, 0]]> : tensor<1x4xi8>
  %w = quant.scast %c : tensor<1x4xi8> to tensor<1x4x!w>
  %a = a2q.matmul %x, %w : tensor<1x4x!x>, tensor<1x4x!w> -> tensor<1x1x!a2q.acc<16>>
  %d = a2q.decode %a : tensor<1x1x!a2q.acc<16>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

// Only `pmaddwd` takes signed activations.
// CHECK-LABEL: @signed
// CHECK: a2q.mac {{.*}} : vector<4xi32>, vector<8xi8>, vector<8xi16>
// REMARK: remark: loc("signed"): {{.*}}the kernel is pmaddwd {{.*}}; not pmaddubsw: signed activations
func.func @signed(%x: tensor<1x2x!s>) -> tensor<1x1xi32> {
  %c = arith.constant dense<[[1, 2]]> : tensor<1x2xi8>
  %w = quant.scast %c : tensor<1x2xi8> to tensor<1x2x!w>
  %a = a2q.matmul %x, %w : tensor<1x2x!s>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<16>> loc("signed")
  %d = a2q.decode %a : tensor<1x1x!a2q.acc<16>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

// Two vectors of channels share the loads of activations; 10 positions are two
// blocks of 5 with AVX2; both steps are in one trip. The last block of channels has a constant of its own.
// CHECK-LABEL: @blocks
// AVX2-DAG: arith.constant dense<1> : tensor<1x1x2x2x32xi8>
// AVX2-DAG: arith.constant dense<1> : tensor<1x1x2x32xi8>
// VNNI-DAG: arith.constant dense<{{.*}}> : tensor<1x1x2x2x64xi8>
// AVX2: scf.for %{{.*}} = %c0 to %c10 step %c5
// AVX2-COUNT-20: pair_exact
// AVX2: scf.for %{{.*}} = %c0 to %c10 step %c5
// AVX2-COUNT-10: pair_exact
// AVX2-NOT: pair_exact
// AVX2: return
func.func @blocks(%x: tensor<10x8x!x>) -> tensor<10x24xi32> {
  %c = arith.constant dense<1> : tensor<24x8xi8>
  %w = quant.scast %c : tensor<24x8xi8> to tensor<24x8x!w>
  %a = a2q.matmul %x, %w : tensor<10x8x!x>, tensor<24x8x!w> -> tensor<10x24x!a2q.acc<16>>
  %d = a2q.decode %a : tensor<10x24x!a2q.acc<16>> to tensor<10x24xi32>
  return %d : tensor<10x24xi32>
}

// A convolution reads its image where it lies: rows of a window are one run of
// 6 codes, the second step of which begins 2 behind the first.
// CHECK-LABEL: @in_place
// CHECK-DAG: arith.constant dense<[0, 2, 10, 12, 20, 22]> : tensor<6xi32>
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @in_place(%x: tensor<1x5x5x2x!x>) -> tensor<1x3x3x8xi32> {
  %c = arith.constant dense<1> : tensor<8x3x3x2xi8>
  %w = quant.scast %c : tensor<8x3x3x2xi8> to tensor<8x3x3x2x!w>
  %a = a2q.conv_2d %x, %w : tensor<1x5x5x2x!x>, tensor<8x3x3x2x!w> -> tensor<1x3x3x8x!a2q.acc<16>>
  %d = a2q.decode %a : tensor<1x3x3x8x!a2q.acc<16>> to tensor<1x3x3x8xi32>
  return %d : tensor<1x3x3x8xi32>
}

// A lane takes 30600 per step, so 16 bits hold two steps from a centred start,
// and the last one from 0; a type of 32 bits asks for a spill after every step.
// AVX2-LABEL: @tiles
// AVX2-DAG: arith.constant dense<{{\[\[\[\[}}[-30600, -30600, 0, 0, 0, 0, 0, 0]], {{\[\[}}0, 0, 0, 0, 0, 0, 0, 0]]]]]> : tensor<1x1x2x1x8xi16>
// AVX2: scf.for
// AVX2: scf.for
// AVX2: pair_exact
// AVX2: scf.for
// AVX2-NOT: scf.for
// AVX2: pair_exact
// REMARK: remark: loc("tiles"){{.*}}the kernel is pmaddubsw on blocks of 1 positions and 4 channels, 2 tiles in 3 steps
// REMARK: remark: loc("every step"){{.*}}3 tiles in 3 steps
func.func @tiles(%x: tensor<1x12x!x>) -> (tensor<1x1xi32>, tensor<1x1xi32>) {
  %c = arith.constant dense<60> : tensor<1x12xi8>
  %w = quant.scast %c : tensor<1x12xi8> to tensor<1x12x!w>
  %a = a2q.matmul %x, %w schedule <ends = [[2, 4, 6, 8, 10, 12], [12]]>
      : tensor<1x12x!x>, tensor<1x12x!w> -> tensor<1x1x!a2q.acc<16 x 2, 32>> loc("tiles")
  %d = a2q.decode %a : tensor<1x1x!a2q.acc<16 x 2, 32>> to tensor<1x1xi32>
  %b = a2q.matmul %x, %w : tensor<1x12x!x>, tensor<1x12x!w> -> tensor<1x1x!a2q.acc<32>> loc("every step")
  %e = a2q.decode %b : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  return %d, %e : tensor<1x1xi32>, tensor<1x1xi32>
}

// A depthwise convolution holds one channel per lane: 16 channels fill a
// register of 128 bits. The 4 taps are two pairs, interleaved in place, and
// positions of a row share what they both need: 3 columns for 2 positions.
// CHECK-LABEL: @depthwise
// CHECK-DAG: arith.constant dense<1> : tensor<1x2x2x16xi8>
// CHECK-NOT: linalg.generic
// CHECK-COUNT-6: vector.transfer_read %collapsed
// CHECK-NOT: vector.transfer_read %collapsed
// CHECK: return
// REMARK: remark: loc("depthwise"){{.*}}the kernel is pmaddubsw, one channel per lane, on blocks of 4 positions and 16 channels
func.func @depthwise(%x: tensor<1x2x3x16x!x>) -> tensor<1x1x2x16xi32> {
  %c = arith.constant dense<1> : tensor<16x2x2x1xi8>
  %w = quant.scast %c : tensor<16x2x2x1xi8> to tensor<16x2x2x1x!w>
  %a = a2q.conv_2d %x, %w groups 16 : tensor<1x2x3x16x!x>, tensor<16x2x2x1x!w> -> tensor<1x1x2x16x!a2q.acc<16>> loc("depthwise")
  %d = a2q.decode %a : tensor<1x1x2x16x!a2q.acc<16>> to tensor<1x1x2x16xi32>
  return %d : tensor<1x1x2x16xi32>
}

// Each pair is exact for its own codes, but a2q.mac promises it for all codes of
// the layer: the kernel is another one, and nothing is promised in vain.
// CHECK-LABEL: @ranges_by_channel
// CHECK-NOT: pair_exact
// CHECK: return
func.func @ranges_by_channel(%x: tensor<1x4x!x>
    {a2q.range = {axis = 1, lo = array<i64: 0, 0, 0, 0>,
                  hi = array<i64: 100, 100, 255, 255>}}) -> tensor<1x1xi32> {
  %c = arith.constant dense<[[127, 127, 1, 1]]> : tensor<1x4xi8>
  %w = quant.scast %c : tensor<1x4xi8> to tensor<1x4x!w>
  %a = a2q.matmul %x, %w : tensor<1x4x!x>, tensor<1x4x!w> -> tensor<1x1x!a2q.acc<16>>
  %d = a2q.decode %a : tensor<1x1x!a2q.acc<16>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}
