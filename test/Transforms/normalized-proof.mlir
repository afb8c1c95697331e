// What a normalization or softmax hands over is bounded as a whole: fewer bits
// than the range of each code asks for, on the same path from the type to the
// proof.
//
// RUN: a2q-opt %s --split-input-file -a2q-infer-accumulators -a2q-verify-accumulators | FileCheck %s
// RUN: a2q-opt %s --split-input-file -a2q-stage-accumulators=inner=16 -a2q-verify-accumulators | FileCheck %s --check-prefix=STAGED
// RUN: a2q-opt %s --split-input-file -a2q-report-accumulators=file=- -o /dev/null | FileCheck %s --check-prefix=REPORT

// Both sides: a bit less is refused, and so are these types once the root is
// something else.
// RUN: a2q-opt %s --split-input-file -a2q-infer-accumulators > %t.mlir
// RUN: sed 's/acc<16>/acc<15>/g' %t.mlir | not a2q-opt --split-input-file -a2q-verify-accumulators 2>&1 | FileCheck %s --check-prefix=NARROW
// NARROW: error: channel 0 needs 16 bits, the accumulator has 15
// NARROW: note: its l1 norm is 1152 with activations in [-127, 127] (and what layernorm guarantees)
// NARROW: error: a sum of products needs 16 bits, the accumulator has 15
// RUN: sed 's/tosa.rsqrt/tosa.log/' %t.mlir | not a2q-opt --split-input-file -a2q-verify-accumulators 2>&1 | FileCheck %s --check-prefix=OTHER
// OTHER: error: channel 0 needs 19 bits, the accumulator has 16

// 384 codes of scale 1/16 and weights of 3. By ranges 384 * 3 * 127 = 146,304,
// 19 bits. By the norm 16 * 3 * 384 = 18,432, and 576 for rounding: 16 bits.
// The variance is that of the deviations that are divided.

// CHECK-LABEL: @layernorm
// STAGED-LABEL: @layernorm
// REPORT: "exact": 16,
// REPORT: "proof": "layernorm",
// REPORT-NEXT: "box_width": {
// REPORT-NEXT: "exact": 19,
// REPORT-NEXT: "centred": 19
// REPORT: "notes": [
// REPORT-NEXT: "16 bits: layernorm bound; the box needs 19"
!x = !quant.uniform<i8<-127:127>:f32, 0.0625>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @layernorm(%v: tensor<1x4x384xf32>) -> tensor<4x2xi32> {
  %none = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %share = "tosa.const"() <{values = dense<0.00260416674> : tensor<1x1x1xf32>}> : () -> tensor<1x1x1xf32>
  %eps = "tosa.const"() <{values = dense<1.0e-5> : tensor<1x1x1xf32>}> : () -> tensor<1x1x1xf32>
  %total = tosa.reduce_sum %v {axis = 2 : i32} : (tensor<1x4x384xf32>) -> tensor<1x4x1xf32>
  %mean = tosa.mul %total, %share, %none : (tensor<1x4x1xf32>, tensor<1x1x1xf32>, tensor<1xi8>) -> tensor<1x4x1xf32>
  %d = tosa.sub %v, %mean : (tensor<1x4x384xf32>, tensor<1x4x1xf32>) -> tensor<1x4x384xf32>
  %squares = tosa.mul %d, %d, %none : (tensor<1x4x384xf32>, tensor<1x4x384xf32>, tensor<1xi8>) -> tensor<1x4x384xf32>
  %sum = tosa.reduce_sum %squares {axis = 2 : i32} : (tensor<1x4x384xf32>) -> tensor<1x4x1xf32>
  %variance = tosa.mul %sum, %share, %none : (tensor<1x4x1xf32>, tensor<1x1x1xf32>, tensor<1xi8>) -> tensor<1x4x1xf32>
  %shifted = tosa.add %variance, %eps : (tensor<1x4x1xf32>, tensor<1x1x1xf32>) -> tensor<1x4x1xf32>
  %inverse = tosa.rsqrt %shifted : (tensor<1x4x1xf32>) -> tensor<1x4x1xf32>
  %n = tosa.mul %d, %inverse, %none : (tensor<1x4x384xf32>, tensor<1x4x1xf32>, tensor<1xi8>) -> tensor<1x4x384xf32>
  %q = a2q.quantize %n : tensor<1x4x384xf32> to tensor<1x4x384x!x>
  %flat = tensor.collapse_shape %q [[0, 1], [2]] : tensor<1x4x384x!x> into tensor<4x384x!x>
  %codes = arith.constant dense<3> : tensor<2x384xi8>
  %w = quant.scast %codes : tensor<2x384xi8> to tensor<2x384x!w>
  // CHECK: a2q.matmul {{.*}}!a2q.acc<16>
  // STAGED: a2q.matmul {{.*}}-> tensor<4x2x!a2q.acc<16>>
  %y = a2q.matmul %flat, %w : tensor<4x384x!x>, tensor<2x384x!w> -> tensor<4x2x!a2q.acc<32>>
  %z = a2q.decode %y : tensor<4x2x!a2q.acc<32>> to tensor<4x2xi32>
  return %z : tensor<4x2xi32>
}

// -----

// The same with a mean of squares that are not those of what is divided: E[x^2]
// less E[x]^2. In float32 the result can have any norm.

// CHECK-LABEL: @one_pass
// STAGED-LABEL: @one_pass
// REPORT: "proof": "box"
!x = !quant.uniform<i8<-127:127>:f32, 0.0625>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @one_pass(%v: tensor<4x384xf32>) -> tensor<4x2xi32> {
  %none = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %share = "tosa.const"() <{values = dense<0.00260416674> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %eps = "tosa.const"() <{values = dense<1.0e-5> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %total = tosa.reduce_sum %v {axis = 1 : i32} : (tensor<4x384xf32>) -> tensor<4x1xf32>
  %mean = tosa.mul %total, %share, %none : (tensor<4x1xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<4x1xf32>
  %d = tosa.sub %v, %mean : (tensor<4x384xf32>, tensor<4x1xf32>) -> tensor<4x384xf32>
  %squares = tosa.mul %v, %v, %none : (tensor<4x384xf32>, tensor<4x384xf32>, tensor<1xi8>) -> tensor<4x384xf32>
  %sum = tosa.reduce_sum %squares {axis = 1 : i32} : (tensor<4x384xf32>) -> tensor<4x1xf32>
  %second = tosa.mul %sum, %share, %none : (tensor<4x1xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<4x1xf32>
  %first = tosa.mul %mean, %mean, %none : (tensor<4x1xf32>, tensor<4x1xf32>, tensor<1xi8>) -> tensor<4x1xf32>
  %variance = tosa.sub %second, %first : (tensor<4x1xf32>, tensor<4x1xf32>) -> tensor<4x1xf32>
  %shifted = tosa.add %variance, %eps : (tensor<4x1xf32>, tensor<1x1xf32>) -> tensor<4x1xf32>
  %inverse = tosa.rsqrt %shifted : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %n = tosa.mul %d, %inverse, %none : (tensor<4x384xf32>, tensor<4x1xf32>, tensor<1xi8>) -> tensor<4x384xf32>
  %q = a2q.quantize %n : tensor<4x384xf32> to tensor<4x384x!x>
  %codes = arith.constant dense<3> : tensor<2x384xi8>
  %w = quant.scast %codes : tensor<2x384xi8> to tensor<2x384x!w>
  // CHECK: a2q.matmul {{.*}}!a2q.acc<19>
  // STAGED: a2q.matmul {{.*}}!a2q.acc<16 x
  %y = a2q.matmul %q, %w : tensor<4x384x!x>, tensor<2x384x!w> -> tensor<4x2x!a2q.acc<32>>
  %z = a2q.decode %y : tensor<4x2x!a2q.acc<32>> to tensor<4x2xi32>
  return %z : tensor<4x2xi32>
}

// -----

// The norm is along the columns, the sums along the rows: nothing is known.

// CHECK-LABEL: @other_axis
// REPORT: "proof": "box"
!x = !quant.uniform<i8<-127:127>:f32, 0.0625>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @other_axis(%v: tensor<384x384xf32>) -> tensor<384x2xi32> {
  %none = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %share = "tosa.const"() <{values = dense<0.00260416674> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %eps = "tosa.const"() <{values = dense<1.0e-5> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %squares = tosa.mul %v, %v, %none : (tensor<384x384xf32>, tensor<384x384xf32>, tensor<1xi8>) -> tensor<384x384xf32>
  %sum = tosa.reduce_sum %squares {axis = 0 : i32} : (tensor<384x384xf32>) -> tensor<1x384xf32>
  %mean = tosa.mul %sum, %share, %none : (tensor<1x384xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<1x384xf32>
  %shifted = tosa.add %mean, %eps : (tensor<1x384xf32>, tensor<1x1xf32>) -> tensor<1x384xf32>
  %inverse = tosa.rsqrt %shifted : (tensor<1x384xf32>) -> tensor<1x384xf32>
  %n = tosa.mul %v, %inverse, %none : (tensor<384x384xf32>, tensor<1x384xf32>, tensor<1xi8>) -> tensor<384x384xf32>
  %q = a2q.quantize %n : tensor<384x384xf32> to tensor<384x384x!x>
  %codes = arith.constant dense<3> : tensor<2x384xi8>
  %w = quant.scast %codes : tensor<2x384xi8> to tensor<2x384x!w>
  // CHECK: a2q.matmul {{.*}}!a2q.acc<19>
  %y = a2q.matmul %q, %w : tensor<384x384x!x>, tensor<2x384x!w> -> tensor<384x2x!a2q.acc<32>>
  %z = a2q.decode %y : tensor<384x2x!a2q.acc<32>> to tensor<384x2xi32>
  return %z : tensor<384x2xi32>
}

// -----

// The root belongs to the rows, and a reshape gives it to the columns.

// CHECK-LABEL: @foreign_root
// REPORT: "proof": "box"
!x = !quant.uniform<i8<-127:127>:f32, 0.0625>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @foreign_root(%v: tensor<384x384xf32>) -> tensor<384x2xi32> {
  %none = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %share = "tosa.const"() <{values = dense<0.00260416674> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %eps = "tosa.const"() <{values = dense<1.0e-5> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %squares = tosa.mul %v, %v, %none : (tensor<384x384xf32>, tensor<384x384xf32>, tensor<1xi8>) -> tensor<384x384xf32>
  %sum = tosa.reduce_sum %squares {axis = 1 : i32} : (tensor<384x384xf32>) -> tensor<384x1xf32>
  %mean = tosa.mul %sum, %share, %none : (tensor<384x1xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<384x1xf32>
  %shifted = tosa.add %mean, %eps : (tensor<384x1xf32>, tensor<1x1xf32>) -> tensor<384x1xf32>
  %inverse = tosa.rsqrt %shifted : (tensor<384x1xf32>) -> tensor<384x1xf32>
  %shape = tosa.const_shape {values = dense<[1, 384]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %turned = tosa.reshape %inverse, %shape : (tensor<384x1xf32>, !tosa.shape<2>) -> tensor<1x384xf32>
  %n = tosa.mul %v, %turned, %none : (tensor<384x384xf32>, tensor<1x384xf32>, tensor<1xi8>) -> tensor<384x384xf32>
  %q = a2q.quantize %n : tensor<384x384xf32> to tensor<384x384x!x>
  %codes = arith.constant dense<3> : tensor<2x384xi8>
  %w = quant.scast %codes : tensor<2x384xi8> to tensor<2x384x!w>
  // CHECK: a2q.matmul {{.*}}!a2q.acc<19>
  %y = a2q.matmul %q, %w : tensor<384x384x!x>, tensor<2x384x!w> -> tensor<384x2x!a2q.acc<32>>
  %z = a2q.decode %y : tensor<384x2x!a2q.acc<32>> to tensor<384x2xi32>
  return %z : tensor<384x2xi32>
}

// -----

// RMSNorm in structured ops, divided by a root, with a gain per channel and
// unsigned codes of zero point 128. The complete sum keeps its width, but for
// partial sums the zero points count: 192 * 3 * 128 = 73,728 on either side.

// CHECK-LABEL: @rmsnorm_structured
// STAGED-LABEL: @rmsnorm_structured
// REPORT: "exact": 18,
// REPORT: "proof": "rmsnorm",
// REPORT: "final_width": 16,
// REPORT-NEXT: "prefix_width": 18,
!x = !quant.uniform<u8:f32, 0.0625:128>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
#all = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
#kept = affine_map<(d0, d1) -> (d0, 0)>
#channel = affine_map<(d0, d1) -> (d1)>
func.func @rmsnorm_structured(%v: tensor<4x384xf32>) -> tensor<4x1xi32> {
  %zero = arith.constant 0.0 : f32
  %eps = arith.constant 1.0e-5 : f32
  %count = arith.constant 384.0 : f32
  %gains = arith.constant dense<1.0> : tensor<384xf32>
  %e0 = tensor.empty() : tensor<4xf32>
  %e1 = tensor.empty() : tensor<4x1xf32>
  %e2 = tensor.empty() : tensor<4x384xf32>
  %fill = linalg.fill ins(%zero : f32) outs(%e0 : tensor<4xf32>) -> tensor<4xf32>
  %sum = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
      ins(%v : tensor<4x384xf32>) outs(%fill : tensor<4xf32>) {
    ^bb0(%in: f32, %acc: f32):
      %square = arith.mulf %in, %in : f32
      %more = arith.addf %acc, %square : f32
      linalg.yield %more : f32
  } -> tensor<4xf32>
  %column = tensor.expand_shape %sum [[0, 1]] output_shape [4, 1] : tensor<4xf32> into tensor<4x1xf32>
  %root = linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel"]}
      ins(%column : tensor<4x1xf32>) outs(%e1 : tensor<4x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %mean = arith.divf %in, %count : f32
      %shifted = arith.addf %mean, %eps : f32
      %r = math.sqrt %shifted : f32
      linalg.yield %r : f32
  } -> tensor<4x1xf32>
  %n = linalg.generic {indexing_maps = [#all, #kept, #all], iterator_types = ["parallel", "parallel"]}
      ins(%v, %root : tensor<4x384xf32>, tensor<4x1xf32>) outs(%e2 : tensor<4x384xf32>) {
    ^bb0(%in: f32, %r: f32, %out: f32):
      %quotient = arith.divf %in, %r : f32
      linalg.yield %quotient : f32
  } -> tensor<4x384xf32>
  %g = linalg.generic {indexing_maps = [#all, #channel, #all], iterator_types = ["parallel", "parallel"]}
      ins(%n, %gains : tensor<4x384xf32>, tensor<384xf32>) outs(%e2 : tensor<4x384xf32>) {
    ^bb0(%in: f32, %gain: f32, %out: f32):
      %product = arith.mulf %in, %gain : f32
      linalg.yield %product : f32
  } -> tensor<4x384xf32>
  %q = a2q.quantize %g : tensor<4x384xf32> to tensor<4x384x!x>
  // Half of the weights are 3, the others -3: sums of the zero points are 0.
  %codes = arith.constant dense<"0x03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD03FD"> : tensor<1x384xi8>
  %w = quant.scast %codes : tensor<1x384xi8> to tensor<1x384x!w>
  // CHECK: a2q.matmul {{.*}}!a2q.acc<18>
  // STAGED: a2q.matmul {{.*}}!a2q.acc<16 x
  %y = a2q.matmul %q, %w : tensor<4x384x!x>, tensor<1x384x!w> -> tensor<4x1x!a2q.acc<32>>
  %z = a2q.decode %y : tensor<4x1x!a2q.acc<32>> to tensor<4x1xi32>
  return %z : tensor<4x1xi32>
}

// -----

// Probabilities of 8 bits, rounded down, times values of 8 bits: 16 bits for
// any length.

// CHECK-LABEL: @attention
// STAGED-LABEL: @attention
// REPORT: "exact": 16,
// REPORT: "proof": "softmax",
// REPORT: "16 bits: softmax bound; the box needs 25"
!p = !quant.uniform<u8:f32, 0.0039215686274509803>
!v = !quant.uniform<i8:f32, 0.1>
func.func @attention(%scores: tensor<2x8x512xf32>, %values: tensor<2x64x512x!v>) -> tensor<2x8x64xi32> {
  %none = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %most = tosa.reduce_max %scores {axis = 2 : i32} : (tensor<2x8x512xf32>) -> tensor<2x8x1xf32>
  %less = tosa.sub %scores, %most : (tensor<2x8x512xf32>, tensor<2x8x1xf32>) -> tensor<2x8x512xf32>
  %powers = tosa.exp %less : (tensor<2x8x512xf32>) -> tensor<2x8x512xf32>
  %sum = tosa.reduce_sum %powers {axis = 2 : i32} : (tensor<2x8x512xf32>) -> tensor<2x8x1xf32>
  %inverse = tosa.reciprocal %sum : (tensor<2x8x1xf32>) -> tensor<2x8x1xf32>
  %p = tosa.mul %powers, %inverse, %none : (tensor<2x8x512xf32>, tensor<2x8x1xf32>, tensor<1xi8>) -> tensor<2x8x512xf32>
  %q = a2q.quantize %p rounding floor : tensor<2x8x512xf32> to tensor<2x8x512x!p>
  // CHECK: a2q.matmul {{.*}}!a2q.acc<16>
  // STAGED: a2q.matmul {{.*}}-> tensor<2x8x64x!a2q.acc<16>>
  %y = a2q.matmul %q, %values : tensor<2x8x512x!p>, tensor<2x64x512x!v> -> tensor<2x8x64x!a2q.acc<32>>
  %z = a2q.decode %y : tensor<2x8x64x!a2q.acc<32>> to tensor<2x8x64xi32>
  return %z : tensor<2x8x64xi32>
}

// -----

// The same with the probabilities as the second operand.

// CHECK-LABEL: @attention_turned
// STAGED-LABEL: @attention_turned
// REPORT: "exact": 16,
// REPORT: "proof": "softmax",
// REPORT: "16 bits: softmax bound; the box needs 25"
!p = !quant.uniform<u8:f32, 0.0039215686274509803>
!v = !quant.uniform<i8:f32, 0.1>
func.func @attention_turned(%scores: tensor<2x8x512xf32>, %values: tensor<2x64x512x!v>) -> tensor<2x64x8xi32> {
  %none = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %most = tosa.reduce_max %scores {axis = 2 : i32} : (tensor<2x8x512xf32>) -> tensor<2x8x1xf32>
  %less = tosa.sub %scores, %most : (tensor<2x8x512xf32>, tensor<2x8x1xf32>) -> tensor<2x8x512xf32>
  %powers = tosa.exp %less : (tensor<2x8x512xf32>) -> tensor<2x8x512xf32>
  %sum = tosa.reduce_sum %powers {axis = 2 : i32} : (tensor<2x8x512xf32>) -> tensor<2x8x1xf32>
  %inverse = tosa.reciprocal %sum : (tensor<2x8x1xf32>) -> tensor<2x8x1xf32>
  %p = tosa.mul %powers, %inverse, %none : (tensor<2x8x512xf32>, tensor<2x8x1xf32>, tensor<1xi8>) -> tensor<2x8x512xf32>
  %q = a2q.quantize %p rounding floor : tensor<2x8x512xf32> to tensor<2x8x512x!p>
  // CHECK: a2q.matmul {{.*}}!a2q.acc<16>
  // STAGED: a2q.matmul {{.*}}-> tensor<2x64x8x!a2q.acc<16>>
  %y = a2q.matmul %values, %q : tensor<2x64x512x!v>, tensor<2x8x512x!p> -> tensor<2x64x8x!a2q.acc<32>>
  %z = a2q.decode %y : tensor<2x64x8x!a2q.acc<32>> to tensor<2x64x8xi32>
  return %z : tensor<2x64x8xi32>
}

// -----

// Rounded to nearest with the scale 1/256, as runtimes do: the codes sum to at
// most twice 256, one bit more.

// CHECK-LABEL: @attention_nearest
// REPORT: "17 bits: softmax bound; the box needs 25"
!p = !quant.uniform<u8:f32, 0.00390625>
!v = !quant.uniform<i8:f32, 0.1>
func.func @attention_nearest(%scores: tensor<2x8x512xf32>, %values: tensor<2x64x512x!v>) -> tensor<2x8x64xi32> {
  %none = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %most = tosa.reduce_max %scores {axis = 2 : i32} : (tensor<2x8x512xf32>) -> tensor<2x8x1xf32>
  %less = tosa.sub %scores, %most : (tensor<2x8x512xf32>, tensor<2x8x1xf32>) -> tensor<2x8x512xf32>
  %powers = tosa.exp %less : (tensor<2x8x512xf32>) -> tensor<2x8x512xf32>
  %sum = tosa.reduce_sum %powers {axis = 2 : i32} : (tensor<2x8x512xf32>) -> tensor<2x8x1xf32>
  %inverse = tosa.reciprocal %sum : (tensor<2x8x1xf32>) -> tensor<2x8x1xf32>
  %p = tosa.mul %powers, %inverse, %none : (tensor<2x8x512xf32>, tensor<2x8x1xf32>, tensor<1xi8>) -> tensor<2x8x512xf32>
  %q = a2q.quantize %p : tensor<2x8x512xf32> to tensor<2x8x512x!p>
  // CHECK: a2q.matmul {{.*}}!a2q.acc<17>
  %y = a2q.matmul %q, %values : tensor<2x8x512x!p>, tensor<2x64x512x!v> -> tensor<2x8x64x!a2q.acc<32>>
  %z = a2q.decode %y : tensor<2x8x64x!a2q.acc<32>> to tensor<2x8x64xi32>
  return %z : tensor<2x8x64xi32>
}

// -----

// Without the maximum all powers can be so small that the reciprocal of their
// sum overflows: every code may be 255.

// CHECK-LABEL: @without_maximum
// REPORT: "proof": "box"
!p = !quant.uniform<u8:f32, 0.0039215686274509803>
!v = !quant.uniform<i8:f32, 0.1>
func.func @without_maximum(%scores: tensor<2x8x512xf32>, %values: tensor<2x64x512x!v>) -> tensor<2x8x64xi32> {
  %none = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %powers = tosa.exp %scores : (tensor<2x8x512xf32>) -> tensor<2x8x512xf32>
  %sum = tosa.reduce_sum %powers {axis = 2 : i32} : (tensor<2x8x512xf32>) -> tensor<2x8x1xf32>
  %inverse = tosa.reciprocal %sum : (tensor<2x8x1xf32>) -> tensor<2x8x1xf32>
  %p = tosa.mul %powers, %inverse, %none : (tensor<2x8x512xf32>, tensor<2x8x1xf32>, tensor<1xi8>) -> tensor<2x8x512xf32>
  %q = a2q.quantize %p rounding floor : tensor<2x8x512xf32> to tensor<2x8x512x!p>
  // CHECK: a2q.matmul {{.*}}!a2q.acc<25>
  %y = a2q.matmul %q, %values : tensor<2x8x512x!p>, tensor<2x64x512x!v> -> tensor<2x8x64x!a2q.acc<32>>
  %z = a2q.decode %y : tensor<2x8x64x!a2q.acc<32>> to tensor<2x8x64xi32>
  return %z : tensor<2x8x64xi32>
}

// -----

// An offset of -1/2 moves the centre by 64 * 16 codes, and the clip keeps it.

// CHECK-LABEL: @clipped
// REPORT: "proof": "rmsnorm"
!x = !quant.uniform<i8:f32, 0.03125>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @clipped(%v: tensor<4x64xf32>) -> tensor<4x1xi32> {
  %none = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %share = "tosa.const"() <{values = dense<0.015625> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %eps = "tosa.const"() <{values = dense<1.0e-5> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %squares = tosa.mul %v, %v, %none : (tensor<4x64xf32>, tensor<4x64xf32>, tensor<1xi8>) -> tensor<4x64xf32>
  %sum = tosa.reduce_sum %squares {axis = 1 : i32} : (tensor<4x64xf32>) -> tensor<4x1xf32>
  %mean = tosa.mul %sum, %share, %none : (tensor<4x1xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<4x1xf32>
  %shifted = tosa.add %mean, %eps : (tensor<4x1xf32>, tensor<1x1xf32>) -> tensor<4x1xf32>
  %inverse = tosa.rsqrt %shifted : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %n = tosa.mul %v, %inverse, %none : (tensor<4x64xf32>, tensor<4x1xf32>, tensor<1xi8>) -> tensor<4x64xf32>
  %offset = "tosa.const"() <{values = dense<0.5> : tensor<1x64xf32>}> : () -> tensor<1x64xf32>
  %moved = tosa.sub %n, %offset : (tensor<4x64xf32>, tensor<1x64xf32>) -> tensor<4x64xf32>
  %clipped = tosa.clamp %moved {min_val = -2.0 : f32, max_val = 3.0 : f32, nan_mode = PROPAGATE} : (tensor<4x64xf32>) -> tensor<4x64xf32>
  %q = a2q.quantize %clipped : tensor<4x64xf32> to tensor<4x64x!x>
  %codes = arith.constant dense<1> : tensor<1x64xi8>
  %w = quant.scast %codes : tensor<1x64xi8> to tensor<1x64x!w>
  // CHECK: a2q.matmul {{.*}}!a2q.acc<13>
  %y = a2q.matmul %q, %w : tensor<4x64x!x>, tensor<1x64x!w> -> tensor<4x1x!a2q.acc<32>>
  %z = a2q.decode %y : tensor<4x1x!a2q.acc<32>> to tensor<4x1xi32>
  return %z : tensor<4x1xi32>
}

// -----

// This clip makes a number of NaN.

// CHECK-LABEL: @clipped_nan
// REPORT: "proof": "box"
!x = !quant.uniform<i8:f32, 0.03125>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @clipped_nan(%v: tensor<4x64xf32>) -> tensor<4x1xi32> {
  %none = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %share = "tosa.const"() <{values = dense<0.015625> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %eps = "tosa.const"() <{values = dense<1.0e-5> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %squares = tosa.mul %v, %v, %none : (tensor<4x64xf32>, tensor<4x64xf32>, tensor<1xi8>) -> tensor<4x64xf32>
  %sum = tosa.reduce_sum %squares {axis = 1 : i32} : (tensor<4x64xf32>) -> tensor<4x1xf32>
  %mean = tosa.mul %sum, %share, %none : (tensor<4x1xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<4x1xf32>
  %shifted = tosa.add %mean, %eps : (tensor<4x1xf32>, tensor<1x1xf32>) -> tensor<4x1xf32>
  %inverse = tosa.rsqrt %shifted : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %n = tosa.mul %v, %inverse, %none : (tensor<4x64xf32>, tensor<4x1xf32>, tensor<1xi8>) -> tensor<4x64xf32>
  %offset = "tosa.const"() <{values = dense<0.5> : tensor<1x64xf32>}> : () -> tensor<1x64xf32>
  %moved = tosa.sub %n, %offset : (tensor<4x64xf32>, tensor<1x64xf32>) -> tensor<4x64xf32>
  %clipped = tosa.clamp %moved {min_val = -2.0 : f32, max_val = 3.0 : f32, nan_mode = IGNORE} : (tensor<4x64xf32>) -> tensor<4x64xf32>
  %q = a2q.quantize %clipped : tensor<4x64xf32> to tensor<4x64x!x>
  %codes = arith.constant dense<1> : tensor<1x64xi8>
  %w = quant.scast %codes : tensor<1x64xi8> to tensor<1x64x!w>
  // CHECK: a2q.matmul {{.*}}!a2q.acc<14>
  %y = a2q.matmul %q, %w : tensor<4x64x!x>, tensor<1x64x!w> -> tensor<4x1x!a2q.acc<32>>
  %z = a2q.decode %y : tensor<4x1x!a2q.acc<32>> to tensor<4x1xi32>
  return %z : tensor<4x1xi32>
}

// -----

// Four taps read four positions, and each has a norm of its own: a radius twice
// as large, 16 * 32 * 16 = 8192 and 128 for rounding, for 256 * 128 by ranges.

// CHECK-LABEL: @taps
// REPORT: "proof": "rmsnorm"
!x = !quant.uniform<i8:f32, 0.03125>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @taps(%v: tensor<1x4x4x64xf32>) -> tensor<1x3x3x1xi32> {
  %none = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %share = "tosa.const"() <{values = dense<0.015625> : tensor<1x1x1x1xf32>}> : () -> tensor<1x1x1x1xf32>
  %eps = "tosa.const"() <{values = dense<1.0e-5> : tensor<1x1x1x1xf32>}> : () -> tensor<1x1x1x1xf32>
  %squares = tosa.mul %v, %v, %none : (tensor<1x4x4x64xf32>, tensor<1x4x4x64xf32>, tensor<1xi8>) -> tensor<1x4x4x64xf32>
  %sum = tosa.reduce_sum %squares {axis = 3 : i32} : (tensor<1x4x4x64xf32>) -> tensor<1x4x4x1xf32>
  %mean = tosa.mul %sum, %share, %none : (tensor<1x4x4x1xf32>, tensor<1x1x1x1xf32>, tensor<1xi8>) -> tensor<1x4x4x1xf32>
  %shifted = tosa.add %mean, %eps : (tensor<1x4x4x1xf32>, tensor<1x1x1x1xf32>) -> tensor<1x4x4x1xf32>
  %inverse = tosa.rsqrt %shifted : (tensor<1x4x4x1xf32>) -> tensor<1x4x4x1xf32>
  %n = tosa.mul %v, %inverse, %none : (tensor<1x4x4x64xf32>, tensor<1x4x4x1xf32>, tensor<1xi8>) -> tensor<1x4x4x64xf32>
  %q = a2q.quantize %n : tensor<1x4x4x64xf32> to tensor<1x4x4x64x!x>
  %codes = arith.constant dense<1> : tensor<1x2x2x64xi8>
  %w = quant.scast %codes : tensor<1x2x2x64xi8> to tensor<1x2x2x64x!w>
  // CHECK: a2q.conv_2d {{.*}}!a2q.acc<15>
  %y = a2q.conv_2d %q, %w : tensor<1x4x4x64x!x>, tensor<1x2x2x64x!w> -> tensor<1x3x3x1x!a2q.acc<32>>
  %z = a2q.decode %y : tensor<1x3x3x1x!a2q.acc<32>> to tensor<1x3x3x1xi32>
  return %z : tensor<1x3x3x1xi32>
}

// -----

// Padded positions are like such of NaN, all zero points: the same radius.

// CHECK-LABEL: @padded
// REPORT: "proof": "rmsnorm"
!x = !quant.uniform<i8:f32, 0.03125>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @padded(%v: tensor<1x4x4x64xf32>) -> tensor<1x4x4x1xi32> {
  %none = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %share = "tosa.const"() <{values = dense<0.015625> : tensor<1x1x1x1xf32>}> : () -> tensor<1x1x1x1xf32>
  %eps = "tosa.const"() <{values = dense<1.0e-5> : tensor<1x1x1x1xf32>}> : () -> tensor<1x1x1x1xf32>
  %squares = tosa.mul %v, %v, %none : (tensor<1x4x4x64xf32>, tensor<1x4x4x64xf32>, tensor<1xi8>) -> tensor<1x4x4x64xf32>
  %sum = tosa.reduce_sum %squares {axis = 3 : i32} : (tensor<1x4x4x64xf32>) -> tensor<1x4x4x1xf32>
  %mean = tosa.mul %sum, %share, %none : (tensor<1x4x4x1xf32>, tensor<1x1x1x1xf32>, tensor<1xi8>) -> tensor<1x4x4x1xf32>
  %shifted = tosa.add %mean, %eps : (tensor<1x4x4x1xf32>, tensor<1x1x1x1xf32>) -> tensor<1x4x4x1xf32>
  %inverse = tosa.rsqrt %shifted : (tensor<1x4x4x1xf32>) -> tensor<1x4x4x1xf32>
  %n = tosa.mul %v, %inverse, %none : (tensor<1x4x4x64xf32>, tensor<1x4x4x1xf32>, tensor<1xi8>) -> tensor<1x4x4x64xf32>
  %q = a2q.quantize %n : tensor<1x4x4x64xf32> to tensor<1x4x4x64x!x>
  %codes = arith.constant dense<1> : tensor<1x2x2x64xi8>
  %w = quant.scast %codes : tensor<1x2x2x64xi8> to tensor<1x2x2x64x!w>
  // CHECK: a2q.conv_2d {{.*}}!a2q.acc<15>
  %y = a2q.conv_2d %q, %w padding [0, 1, 1, 0] : tensor<1x4x4x64x!x>, tensor<1x2x2x64x!w> -> tensor<1x4x4x1x!a2q.acc<32>>
  %z = a2q.decode %y : tensor<1x4x4x1x!a2q.acc<32>> to tensor<1x4x4x1xi32>
  return %z : tensor<1x4x4x1xi32>
}

// -----

// The same with zeros around the values before: they are in the ball.

// CHECK-LABEL: @padded_before
// REPORT: "proof": "rmsnorm"
!x = !quant.uniform<i8:f32, 0.03125>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @padded_before(%v: tensor<1x4x4x64xf32>) -> tensor<1x4x4x1xi32> {
  %none = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %share = "tosa.const"() <{values = dense<0.015625> : tensor<1x1x1x1xf32>}> : () -> tensor<1x1x1x1xf32>
  %eps = "tosa.const"() <{values = dense<1.0e-5> : tensor<1x1x1x1xf32>}> : () -> tensor<1x1x1x1xf32>
  %squares = tosa.mul %v, %v, %none : (tensor<1x4x4x64xf32>, tensor<1x4x4x64xf32>, tensor<1xi8>) -> tensor<1x4x4x64xf32>
  %sum = tosa.reduce_sum %squares {axis = 3 : i32} : (tensor<1x4x4x64xf32>) -> tensor<1x4x4x1xf32>
  %mean = tosa.mul %sum, %share, %none : (tensor<1x4x4x1xf32>, tensor<1x1x1x1xf32>, tensor<1xi8>) -> tensor<1x4x4x1xf32>
  %shifted = tosa.add %mean, %eps : (tensor<1x4x4x1xf32>, tensor<1x1x1x1xf32>) -> tensor<1x4x4x1xf32>
  %inverse = tosa.rsqrt %shifted : (tensor<1x4x4x1xf32>) -> tensor<1x4x4x1xf32>
  %n = tosa.mul %v, %inverse, %none : (tensor<1x4x4x64xf32>, tensor<1x4x4x1xf32>, tensor<1xi8>) -> tensor<1x4x4x64xf32>
  %zero = arith.constant 0.0 : f32
  %around = tensor.pad %n low[0, 0, 1, 0] high[0, 1, 0, 0] {
  ^bb0(%b: index, %i: index, %j: index, %k: index):
    tensor.yield %zero : f32
  } : tensor<1x4x4x64xf32> to tensor<1x5x5x64xf32>
  %q = a2q.quantize %around : tensor<1x5x5x64xf32> to tensor<1x5x5x64x!x>
  %codes = arith.constant dense<1> : tensor<1x2x2x64xi8>
  %w = quant.scast %codes : tensor<1x2x2x64xi8> to tensor<1x2x2x64x!w>
  // CHECK: a2q.conv_2d {{.*}}!a2q.acc<15>
  %y = a2q.conv_2d %q, %w : tensor<1x5x5x64x!x>, tensor<1x2x2x64x!w> -> tensor<1x4x4x1x!a2q.acc<32>>
  %z = a2q.decode %y : tensor<1x4x4x1x!a2q.acc<32>> to tensor<1x4x4x1xi32>
  return %z : tensor<1x4x4x1xi32>
}
