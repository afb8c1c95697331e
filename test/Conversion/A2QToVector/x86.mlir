// RUN: a2q-opt %s --convert-a2q-to-vector=isa=avx2 --canonicalize --cse | FileCheck %s --check-prefixes=CHECK,AVX2
// RUN: a2q-opt %s --convert-a2q-to-vector=isa=avx512vnni --canonicalize --cse | FileCheck %s --check-prefixes=CHECK,VNNI
// RUN: a2q-opt %s --convert-a2q-to-vector=isa=avx2 --remarks-filter=a2q-kernels -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: a2q-opt %s --convert-a2q-to-vector=isa=avx2 --a2q-verify-macs

!x = !quant.uniform<u8:f32, 0.1>
!s = !quant.uniform<i8:f32, 0.1>
!w = !quant.uniform<i8:f32, 0.5>

// Four products of an output are neighbours and meet in two lanes of 16 bits;
// the last step is padded with weights of 0. `pmaddwd` with ones adds the lanes.
// CHECK-LABEL: @pairs
// CHECK-DAG: %[[W:.*]] = arith.constant dense<{{\[\[\[\[}}64, 63, -128, 0, {{.*}}[1, 0, 0, 0, {{.*}}> : tensor<1x1x2x16xi8>
// CHECK-DAG: %[[ONES:.*]] = arith.constant dense<1> : vector<8xi16>
// CHECK: tensor.pad
// CHECK: a2q.mac %{{.*}}, %{{.*}} unsigned, %{{.*}} pair_exact range [0, 255] : vector<8xi16>, vector<16xi8>, vector<16xi8>
// CHECK: a2q.mac %{{.*}}, %{{.*}}, %[[ONES]] : vector<4xi32>, vector<8xi16>, vector<8xi16>
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
// AVX2: a2q.mac {{.*}} : vector<4xi32>, vector<8xi8>, vector<8xi8>
// VNNI: a2q.mac {{.*}} : vector<4xi32>, vector<16xi8>, vector<16xi8>
// REMARK: remark: loc("saturates"): {{.*}}the kernel is pmaddwd; not pmaddubsw: weights 127 and 2 of channel 0 can saturate 16 bits
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
// CHECK: a2q.mac {{.*}} pair_exact range [0, 10]
func.func @narrow_range(%x: tensor<1x2x!x> {a2q.range = [0, 10]}) -> tensor<1x1xi32> {
  %c = arith.constant dense<[[127, 2]]> : tensor<1x2xi8>
  %w = quant.scast %c : tensor<1x2xi8> to tensor<1x2x!w>
  %a = a2q.matmul %x, %w : tensor<1x2x!x>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<16>>
  %d = a2q.decode %a : tensor<1x1x!a2q.acc<16>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

// Only `pmaddwd` takes signed activations.
// CHECK-LABEL: @signed
// CHECK: a2q.mac {{.*}} : vector<4xi32>, vector<8xi8>, vector<8xi8>
// REMARK: remark: loc("signed"): {{.*}}the kernel is pmaddwd; not pmaddubsw: signed activations
func.func @signed(%x: tensor<1x2x!s>) -> tensor<1x1xi32> {
  %c = arith.constant dense<[[1, 2]]> : tensor<1x2xi8>
  %w = quant.scast %c : tensor<1x2xi8> to tensor<1x2x!w>
  %a = a2q.matmul %x, %w : tensor<1x2x!s>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<16>> loc("signed")
  %d = a2q.decode %a : tensor<1x1x!a2q.acc<16>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}
