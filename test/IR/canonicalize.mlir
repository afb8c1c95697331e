// RUN: a2q-opt %s --canonicalize --split-input-file | FileCheck %s

!x = !quant.uniform<u8<0:15>:f32, 0.1:3>
!y = !quant.uniform<u8<0:15>:f32, 0.2:3>

// A code comes back as itself from the nearest real.
// CHECK-LABEL: @there_and_back
// CHECK-SAME: (%[[X:.*]]: tensor
// CHECK-NEXT: return %[[X]]
func.func @there_and_back(%x: tensor<4x!x>) -> tensor<4x!x> {
  %r = a2q.dequantize %x : tensor<4x!x> to tensor<4xf32>
  %q = a2q.quantize %r : tensor<4xf32> to tensor<4x!x>
  return %q : tensor<4x!x>
}

// Floor may land on the code below when float32(code * scale) is a little low.
// CHECK-LABEL: @floor
// CHECK: a2q.quantize
func.func @floor(%x: tensor<4x!x>) -> tensor<4x!x> {
  %r = a2q.dequantize %x : tensor<4x!x> to tensor<4xf32>
  %q = a2q.quantize %r rounding floor : tensor<4xf32> to tensor<4x!x>
  return %q : tensor<4x!x>
}

// Another scale.
// CHECK-LABEL: @rescale
// CHECK: a2q.quantize
func.func @rescale(%x: tensor<4x!x>) -> tensor<4x!y> {
  %r = a2q.dequantize %x : tensor<4x!x> to tensor<4xf32>
  %q = a2q.quantize %r : tensor<4xf32> to tensor<4x!y>
  return %q : tensor<4x!y>
}

// 32-bit codes do not survive the 24 bits of a float.
// CHECK-LABEL: @wide_codes
// CHECK: a2q.quantize
func.func @wide_codes(%x: tensor<4x!quant.uniform<i32:f32, 0.1>>) -> tensor<4x!quant.uniform<i32:f32, 0.1>> {
  %r = a2q.dequantize %x : tensor<4x!quant.uniform<i32:f32, 0.1>> to tensor<4xf32>
  %q = a2q.quantize %r : tensor<4xf32> to tensor<4x!quant.uniform<i32:f32, 0.1>>
  return %q : tensor<4x!quant.uniform<i32:f32, 0.1>>
}
