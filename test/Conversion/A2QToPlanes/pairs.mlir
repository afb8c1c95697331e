// RUN: a2q-opt %s --convert-a2q-to-vector="isa=avx512vbmi planes=always" | FileCheck %s --check-prefixes=CHECK,TABLE
// RUN: a2q-opt %s --convert-a2q-to-vector="isa=avx2 planes=always" | FileCheck %s --check-prefixes=CHECK,SUMS
// RUN: a2q-opt %s --convert-a2q-to-vector="planes=always" | FileCheck %s --check-prefixes=CHECK,REALS

!x = tensor<1x4x4x8x!quant.uniform<u8<0:15>:f32, 0.37>>
!s = tensor<1x4x4x8x!quant.uniform<u8<0:15>:f32, 0.61:8>>
!t = tensor<1x4x4x8x!quant.uniform<u8<0:16>:f32, 0.61>>
!w = !quant.uniform<i8<-1:1>:f32, 0.5>
!real = tensor<1x4x4x8xf32>

// The residual sum of two codes of 4 bits: 256 pairs are looked up, or 16-bit
// entries of two tables are added. Nothing is divided.
// CHECK-LABEL: func.func @short(
// TABLE-COUNT-4: llvm.call_intrinsic "llvm.x86.avx512.vpermi2var.qi.512"
// TABLE: arith.shli {{.*}} : vector<64xi8>
// TABLE-COUNT-2: llvm.call_intrinsic "llvm.x86.avx512.vpermi2var.qi.512"
// SUMS: llvm.call_intrinsic "llvm.x86.avx2.packuswb"
// REALS: a2q.quantize {{.*}} : tensor<{{[0-9]+}}xf32> to tensor<{{[0-9]+}}x!quant
// CHECK: return
func.func @short(%x: !x) -> !x {
  %c = arith.constant dense<1> : tensor<8x1x1x8xi8>
  %w = quant.scast %c : tensor<8x1x1x8xi8> to tensor<8x1x1x8x!w>
  %ap = a2q.conv_2d %x, %w strides [1, 1] dilations [1, 1] padding [0, 0, 0, 0] groups 1 : !x, tensor<8x1x1x8x!w> -> tensor<1x4x4x8x!a2q.acc<32>>
  %p = a2q.requantize %ap multiplier dense<0.1> : tensor<1xf32> : tensor<1x4x4x8x!a2q.acc<32>> to !x
  %aq = a2q.conv_2d %p, %w strides [1, 1] dilations [1, 1] padding [0, 0, 0, 0] groups 1 : !x, tensor<8x1x1x8x!w> -> tensor<1x4x4x8x!a2q.acc<32>>
  %q = a2q.requantize %aq multiplier dense<0.1> : tensor<1xf32> : tensor<1x4x4x8x!a2q.acc<32>> to !s
  %0 = a2q.dequantize %p : !x to !real
  %1 = a2q.dequantize %q : !s to !real
  %2 = tosa.add %0, %1 : (!real, !real) -> !real
  %s = a2q.quantize %2 : !real to !x
  %ay = a2q.conv_2d %s, %w strides [1, 1] dilations [1, 1] padding [0, 0, 0, 0] groups 1 : !x, tensor<8x1x1x8x!w> -> tensor<1x4x4x8x!a2q.acc<32>>
  %y = a2q.requantize %ay multiplier dense<0.1> : tensor<1xf32> : tensor<1x4x4x8x!a2q.acc<32>> to !x
  return %y : !x
}

// 17 codes are one too many.
// CHECK-LABEL: func.func @long(
// CHECK: a2q.quantize {{.*}} : tensor<{{[0-9]+}}xf32> to tensor<{{[0-9]+}}x!quant
// CHECK: return
func.func @long(%x: !x) -> !x {
  %c = arith.constant dense<1> : tensor<8x1x1x8xi8>
  %w = quant.scast %c : tensor<8x1x1x8xi8> to tensor<8x1x1x8x!w>
  %ap = a2q.conv_2d %x, %w strides [1, 1] dilations [1, 1] padding [0, 0, 0, 0] groups 1 : !x, tensor<8x1x1x8x!w> -> tensor<1x4x4x8x!a2q.acc<32>>
  %p = a2q.requantize %ap multiplier dense<0.1> : tensor<1xf32> : tensor<1x4x4x8x!a2q.acc<32>> to !x
  %aq = a2q.conv_2d %p, %w strides [1, 1] dilations [1, 1] padding [0, 0, 0, 0] groups 1 : !x, tensor<8x1x1x8x!w> -> tensor<1x4x4x8x!a2q.acc<32>>
  %q = a2q.requantize %aq multiplier dense<0.5> : tensor<1xf32> : tensor<1x4x4x8x!a2q.acc<32>> to !t
  %0 = a2q.dequantize %p : !x to !real
  %1 = a2q.dequantize %q : !t to !real
  %2 = tosa.add %0, %1 : (!real, !real) -> !real
  %s = a2q.quantize %2 : !real to !x
  %ay = a2q.conv_2d %s, %w strides [1, 1] dilations [1, 1] padding [0, 0, 0, 0] groups 1 : !x, tensor<8x1x1x8x!w> -> tensor<1x4x4x8x!a2q.acc<32>>
  %y = a2q.requantize %ay multiplier dense<0.1> : tensor<1xf32> : tensor<1x4x4x8x!a2q.acc<32>> to !x
  return %y : !x
}
