// RUN: a2q-opt %s -split-input-file -verify-diagnostics -a2q-quantize-layers -o /dev/null
// RUN: not a2q-opt %s -split-input-file -a2q-quantize-layers=weight-bits=1 2>&1 | FileCheck %s --check-prefix=NARROW
// RUN: not a2q-opt %s -split-input-file -a2q-quantize-layers=weight-bits=9 2>&1 | FileCheck %s --check-prefix=WIDE
// RUN: not a2q-opt %s -split-input-file -a2q-quantize-layers -mlir-print-ir-after-failure 2>&1 | FileCheck %s --check-prefix=KEPT

// NARROW: error: weights have from 2 to 8 bits, found 1
// WIDE: error: weights have from 2 to 8 bits, found 9

func.func @weight_bits(%x: tensor<1x1x2xf32>) -> tensor<1x1x1xf32> {
  %z = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %w = "tosa.const"() <{values = dense<1.0> : tensor<1x2x1xf32>}> : () -> tensor<1x2x1xf32>
  // expected-error @+1 {{weights have from 2 to 8 bits, found 16}}
  %0 = tosa.matmul %x, %w, %z, %z {a2q.activation = !quant.uniform<u8:f32, 0.1>, a2q.weight_bits = 16 : i64}
    : (tensor<1x1x2xf32>, tensor<1x2x1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x1xf32>
  return %0 : tensor<1x1x1xf32>
}

// -----

func.func @weight_bits_kind(%x: tensor<1x1x2xf32>) -> tensor<1x1x1xf32> {
  %z = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %w = "tosa.const"() <{values = dense<1.0> : tensor<1x2x1xf32>}> : () -> tensor<1x2x1xf32>
  // expected-error @+1 {{'a2q.weight_bits' is an integer, found "four"}}
  %0 = tosa.matmul %x, %w, %z, %z {a2q.activation = !quant.uniform<u8:f32, 0.1>, a2q.weight_bits = "four"}
    : (tensor<1x1x2xf32>, tensor<1x2x1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x1xf32>
  return %0 : tensor<1x1x1xf32>
}

// -----

func.func @activation_kind(%x: tensor<1x1x2xf32>) -> tensor<1x1x1xf32> {
  %z = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %w = "tosa.const"() <{values = dense<1.0> : tensor<1x2x1xf32>}> : () -> tensor<1x2x1xf32>
  // expected-error @+1 {{'a2q.activation' is a type of codes for f32 with one scale, such as !quant.uniform<u8:f32, 0.1>; found i8}}
  %0 = tosa.matmul %x, %w, %z, %z {a2q.activation = i8}
    : (tensor<1x1x2xf32>, tensor<1x2x1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x1xf32>
  return %0 : tensor<1x1x1xf32>
}

// -----

func.func @activation_per_axis(%x: tensor<1x1x2xf32>) -> tensor<1x1x1xf32> {
  %z = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %w = "tosa.const"() <{values = dense<1.0> : tensor<1x2x1xf32>}> : () -> tensor<1x2x1xf32>
  // expected-error @+1 {{'a2q.activation' is a type of codes for f32 with one scale}}
  %0 = tosa.matmul %x, %w, %z, %z {a2q.activation = !quant.uniform<u8:f32:2, {0.1, 0.2}>}
    : (tensor<1x1x2xf32>, tensor<1x2x1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x1xf32>
  return %0 : tensor<1x1x1xf32>
}

// -----

func.func @activation_bits(%x: tensor<1x1x2xf32>) -> tensor<1x1x1xf32> {
  %z = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %w = "tosa.const"() <{values = dense<1.0> : tensor<1x2x1xf32>}> : () -> tensor<1x2x1xf32>
  // expected-error @+1 {{activations have at most 16 bits, 'a2q.activation' has 32}}
  %0 = tosa.matmul %x, %w, %z, %z {a2q.activation = !quant.uniform<i32:f32, 0.1>}
    : (tensor<1x1x2xf32>, tensor<1x2x1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x1xf32>
  return %0 : tensor<1x1x1xf32>
}

// -----

func.func @activation_zero_point(%x: tensor<1x1x2xf32>) -> tensor<1x1x1xf32> {
  %z = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %w = "tosa.const"() <{values = dense<1.0> : tensor<1x2x1xf32>}> : () -> tensor<1x2x1xf32>
  // expected-error @+1 {{the codes of 'a2q.activation' are from 0 to 15; there must be two at least, and the zero point 16 among them}}
  %0 = tosa.matmul %x, %w, %z, %z {a2q.activation = !quant.uniform<u8<0:15>:f32, 0.1:16>}
    : (tensor<1x1x2xf32>, tensor<1x2x1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x1xf32>
  return %0 : tensor<1x1x1xf32>
}

// -----

func.func @activation_scale(%x: tensor<1x1x2xf32>) -> tensor<1x1x1xf32> {
  %z = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %w = "tosa.const"() <{values = dense<1.0> : tensor<1x2x1xf32>}> : () -> tensor<1x2x1xf32>
  // expected-error @+1 {{the scale of 'a2q.activation', 1.000000e-39, is no normal number of f32}}
  %0 = tosa.matmul %x, %w, %z, %z {a2q.activation = !quant.uniform<u8:f32, 1.0e-39>}
    : (tensor<1x1x2xf32>, tensor<1x2x1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x1xf32>
  return %0 : tensor<1x1x1xf32>
}

// -----

// Row 1, column 0, input channel 2 of channel 1: term 1 * 2 * 3 + 2.
func.func @weight_nan(%x: tensor<1x2x2x3xf32>) -> tensor<1x1x1x2xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[[[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]], [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]],
                             [[[1.0, 1.0], [1.0, 1.0], [1.0, 0x7FC00000]], [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]]]> : tensor<2x2x3x2xf32>
  %e = tensor.empty() : tensor<1x1x1x2xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x1x1x2xf32>) -> tensor<1x1x1x2xf32>
  // expected-error @+2 {{channel 1 has the weight nan at term 8}}
  // expected-note @+1 {{terms are numbered by kernel row, kernel column and input channel}}
  %y = linalg.conv_2d_nhwc_hwcf {a2q.activation = !quant.uniform<u8:f32, 0.1>} ins(%x, %w : tensor<1x2x2x3xf32>, tensor<2x2x3x2xf32>)
      outs(%f : tensor<1x1x1x2xf32>) -> tensor<1x1x1x2xf32>
  return %y : tensor<1x1x1x2xf32>
}

// -----

func.func @bias_infinite(%x: tensor<1x1x2xf32>) -> tensor<1x1x2xf32> {
  %z = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %w = "tosa.const"() <{values = dense<1.0> : tensor<1x2x2xf32>}> : () -> tensor<1x2x2xf32>
  %b = "tosa.const"() <{values = dense<[[[1.0, 0xFF800000]]]> : tensor<1x1x2xf32>}> : () -> tensor<1x1x2xf32>
  // expected-error @+1 {{channel 1 has the bias -INF}}
  %0 = tosa.matmul %x, %w, %z, %z {a2q.activation = !quant.uniform<u8:f32, 0.1>}
    : (tensor<1x1x2xf32>, tensor<1x2x2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x2xf32>
  %1 = tosa.add %0, %b : (tensor<1x1x2xf32>, tensor<1x1x2xf32>) -> tensor<1x1x2xf32>
  return %1 : tensor<1x1x2xf32>
}

// -----

// 65535 * (127 + 126) * 130 is more than 2^31.
func.func @bias_leaves_i32(%x: tensor<1x1x260xf32>) -> tensor<1x1x1xf32> {
  %z = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %w = "tosa.const"() <{values = dense<[[[127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0], [127.0], [126.0]]]> : tensor<1x260x1xf32>}> : () -> tensor<1x260x1xf32>
  // expected-error @+2 {{the bias of channel 0 needs 33 bits, it has 32}}
  // expected-note @+1 {{it holds the layer's bias and the correction for the zero point 65535; a zero point nearer to 0 or narrower weights make it smaller}}
  %0 = tosa.matmul %x, %w, %z, %z {a2q.activation = !quant.uniform<u16:f32, 0.1:65535>}
    : (tensor<1x1x260xf32>, tensor<1x260x1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x1xf32>
  return %0 : tensor<1x1x1xf32>
}

// -----

func.func @not_constant(%x: tensor<1x1x2xf32>, %w: tensor<1x2x1xf32>) -> tensor<1x1x1xf32> {
  %z = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  // expected-remark @+1 {{left in float: its weights are not a constant}}
  %0 = tosa.matmul %x, %w, %z, %z {a2q.activation = !quant.uniform<u8:f32, 0.1>}
    : (tensor<1x1x2xf32>, tensor<1x2x1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x1xf32>
  return %0 : tensor<1x1x1xf32>
}

// -----

func.func @not_asked_for(%x: tensor<1x1x2xf32>) -> tensor<1x1x1xf32> {
  %z = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %w = "tosa.const"() <{values = dense<1.0> : tensor<1x2x1xf32>}> : () -> tensor<1x2x1xf32>
  // expected-remark @+1 {{left in float: it has no 'a2q.activation'}}
  %0 = tosa.matmul %x, %w, %z, %z
    : (tensor<1x1x2xf32>, tensor<1x2x1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x1xf32>
  return %0 : tensor<1x1x1xf32>
}

// -----

func.func @no_layer(%x: tensor<1x1x2xf32>) -> tensor<1x1x2xf32> {
  // expected-error @+1 {{'a2q.activation' is for a layer of f32, which this is not}}
  %0 = tosa.abs %x {a2q.activation = !quant.uniform<u8:f32, 0.1>} : (tensor<1x1x2xf32>) -> tensor<1x1x2xf32>
  return %0 : tensor<1x1x2xf32>
}

// -----

// 1e-30 * 1 / 1e30: what is left of a sum in units of the next codes.
func.func @multiplier(%x: tensor<1x1x2xf32>) -> tensor<1x1x2xf32> {
  %z = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %w = "tosa.const"() <{values = dense<127.0> : tensor<1x2x2xf32>}> : () -> tensor<1x2x2xf32>
  // expected-error @+1 {{the sums of channel 0 would be multiplied by}}
  %0 = tosa.matmul %x, %w, %z, %z {a2q.activation = !quant.uniform<u8:f32, 1.0e-30>}
    : (tensor<1x1x2xf32>, tensor<1x2x2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x2xf32>
  %1 = tosa.matmul %0, %w, %z, %z {a2q.activation = !quant.uniform<u8:f32, 1.0e30>}
    : (tensor<1x1x2xf32>, tensor<1x2x2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x2xf32>
  return %1 : tensor<1x1x2xf32>
}

// After the error nothing has changed, though the first layer could be done.
// KEPT: the sums of channel 0 would be multiplied by
// KEPT: IR Dump After A2QQuantizeLayers Failed
// KEPT-NOT: a2q.matmul
// KEPT-COUNT-2: tosa.matmul
