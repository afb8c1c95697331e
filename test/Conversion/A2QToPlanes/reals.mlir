// RUN: a2q-opt %s --convert-a2q-to-vector="isa=avx2 planes=always" -mlir-print-local-scope --remarks-filter=a2q-kernels -o %t.mlir 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: FileCheck %s < %t.mlir

!x = tensor<1x4x4x8x!quant.uniform<u8<0:15>:f32, 0.37>>
!acc = tensor<1x4x4x8x!a2q.acc<32>>
!w = !quant.uniform<i8<-1:1>:f32, 0.5>
!sums = tensor<1x4x4x8xi32>
!real = tensor<1x4x4x8xf32>
#all = affine_map<(n, h, w, c) -> (n, h, w, c)>
#channel = affine_map<(n, h, w, c) -> (c)>

// A scale and a bias per channel, in reals: the codes of all sums are known,
// and the arithmetic is gone.
// REMARK: the kernel is planes of 8-bit lanes
// CHECK-LABEL: func.func @reals(
// CHECK-NOT: linalg.generic
// CHECK-NOT: a2q.decode
// CHECK: llvm.call_intrinsic "llvm.x86.avx2.pshuf.b"
// CHECK: return
func.func @reals(%x: !x) -> !x {
  %c = arith.constant dense<1> : tensor<8x1x1x8xi8>
  %w = quant.scast %c : tensor<8x1x1x8xi8> to tensor<8x1x1x8x!w>
  %f = arith.constant dense<[0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2]> : tensor<8xf32>
  %b = arith.constant dense<[0.3, -1.0, 0.0, 0.2, 1.0, 0.1, 0.0, -2.5]> : tensor<8xf32>
  %z = arith.constant 0.0 : f32
  %a = a2q.conv_2d %x, %w strides [1, 1] dilations [1, 1] padding [0, 0, 0, 0] groups 1 : !x, tensor<8x1x1x8x!w> -> !acc
  %s = a2q.decode %a : !acc to !sums
  %e = tensor.empty() : !real
  %r = linalg.generic {indexing_maps = [#all, #channel, #channel, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%s, %f, %b : !sums, tensor<8xf32>, tensor<8xf32>) outs(%e : !real) {
  ^bb0(%i: i32, %factor: f32, %bias: f32, %o: f32):
    %0 = arith.sitofp %i : i32 to f32
    %1 = arith.mulf %0, %factor : f32
    %2 = arith.addf %1, %bias : f32
    %3 = arith.maximumf %2, %z : f32
    linalg.yield %3 : f32
  } -> !real
  %y = a2q.quantize %r : !real to !x
  return %y : !x
}

// Codes that fall while sums grow have no thresholds.
// REMARK: not planes: codes of channel 0 that fall while sums grow
// CHECK-LABEL: func.func @falling(
// CHECK: a2q.quantize
func.func @falling(%x: !x) -> !x {
  %c = arith.constant dense<1> : tensor<8x1x1x8xi8>
  %w = quant.scast %c : tensor<8x1x1x8xi8> to tensor<8x1x1x8x!w>
  %a = a2q.conv_2d %x, %w strides [1, 1] dilations [1, 1] padding [0, 0, 0, 0] groups 1 : !x, tensor<8x1x1x8x!w> -> !acc
  %s = a2q.decode %a : !acc to !sums
  %0 = arith.sitofp %s : !sums to !real
  %1 = arith.constant dense<-0.1> : !real
  %2 = arith.mulf %0, %1 : !real
  %3 = arith.constant dense<9.0> : !real
  %4 = arith.addf %2, %3 : !real
  %y = a2q.quantize %4 : !real to !x
  return %y : !x
}

// The reals are read by more than the quantization.
// REMARK: not planes: sums that are not requantized at once
// CHECK-LABEL: func.func @shared(
// CHECK: a2q.quantize
func.func @shared(%x: !x) -> (!x, !real) {
  %c = arith.constant dense<1> : tensor<8x1x1x8xi8>
  %w = quant.scast %c : tensor<8x1x1x8xi8> to tensor<8x1x1x8x!w>
  %a = a2q.conv_2d %x, %w strides [1, 1] dilations [1, 1] padding [0, 0, 0, 0] groups 1 : !x, tensor<8x1x1x8x!w> -> !acc
  %s = a2q.decode %a : !acc to !sums
  %0 = arith.sitofp %s : !sums to !real
  %y = a2q.quantize %0 : !real to !x
  return %y, %0 : !x, !real
}
