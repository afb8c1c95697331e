// RUN: a2q-opt %s --convert-a2q-to-linalg --canonicalize | FileCheck %s

!u4 = !quant.uniform<u4:f32, 0.5:3>
!i4 = !quant.uniform<i4<-7:7>:f32, 0.5>
!i12 = !quant.uniform<i12:f32, 0.5>
!i32 = !quant.uniform<i32:f32, 0.5>
!axis = !quant.uniform<i8:f32:1, {0.5, 0.25:-3}>

// Codes of 4 bits are stored in 8. The clamp, in floats, comes before the
// conversion: 0 - 3 and 15 - 3. NaN counts as 0.
// CHECK-LABEL: @quantize(
// CHECK-SAME: %[[X:.*]]: tensor<2xf32>) -> tensor<2xi8>
// CHECK-DAG: %[[HI:.*]] = arith.constant 1.200000e+01 : f32
// CHECK-DAG: %[[LO:.*]] = arith.constant -3.000000e+00 : f32
// CHECK-DAG: %[[MAGIC:.*]] = arith.constant 0x4B400000 : f32
// The zero point less the bits of MAGIC, 3 - 0x4B400000.
// CHECK-DAG: %[[Z:.*]] = arith.constant -1262485501 : i32
// CHECK-DAG: %[[NONE:.*]] = arith.constant 0.0
// CHECK-DAG: %[[S:.*]] = arith.constant 5.000000e-01 : f32
// CHECK: linalg.generic
// CHECK: %[[Q:.*]] = arith.divf %{{.*}}, %[[S]]
// CHECK: %[[NAN:.*]] = arith.cmpf uno, %[[Q]], %[[Q]]
// CHECK: %[[N:.*]] = arith.select %[[NAN]], %[[NONE]], %[[Q]]
// CHECK: arith.cmpf ogt, %[[N]], %[[LO]]
// CHECK: arith.cmpf olt, %{{.*}}, %[[HI]]
// CHECK: %[[R:.*]] = arith.addf %{{.*}}, %[[MAGIC]]
// CHECK: %[[B:.*]] = arith.bitcast %[[R]] : f32 to i32
// CHECK: %[[C:.*]] = arith.addi %[[B]], %[[Z]] : i32
// CHECK: arith.trunci %[[C]] : i32 to i8
func.func @quantize(%x: tensor<2xf32>) -> tensor<2x!u4> {
  %q = a2q.quantize %x : tensor<2xf32> to tensor<2x!u4>
  return %q : tensor<2x!u4>
}

// Codes of 12 bits are stored in 16, and extended as signed.
// CHECK-LABEL: @dequantize(
// CHECK-SAME: tensor<2xi16>) -> tensor<2xf32>
// CHECK: arith.extsi %{{.*}} : i16 to i32
// CHECK: arith.sitofp %{{.*}} : i32 to f32
func.func @dequantize(%x: tensor<2x!i12>) -> tensor<2xf32> {
  %q = a2q.dequantize %x : tensor<2x!i12> to tensor<2xf32>
  return %q : tensor<2xf32>
}

// The difference of 32-bit codes and zero points is exact in 64 bits only.
// CHECK-LABEL: @wide(
// CHECK: arith.extf %{{.*}} : f32 to f64
// CHECK: arith.bitcast %{{.*}} : f64 to i64
// CHECK: arith.trunci %{{.*}} : i64 to i32
// CHECK: arith.extsi %{{.*}} : i32 to i64
func.func @wide(%x: tensor<2xf32>) -> tensor<2xf32> {
  %q = a2q.quantize %x : tensor<2xf32> to tensor<2x!i32>
  %d = a2q.dequantize %q : tensor<2x!i32> to tensor<2xf32>
  return %d : tensor<2xf32>
}

// Scales and zero points that differ along an axis are constant tensors.
// CHECK-LABEL: @axis(
// CHECK-DAG: %[[Z:.*]] = arith.constant dense<[0, -3]> : tensor<2xi32>
// CHECK-DAG: %[[S:.*]] = arith.constant dense<[5.000000e-01, 2.500000e-01]> : tensor<2xf32>
// CHECK: linalg.generic
// CHECK-SAME: ins(%{{.*}}, %[[S]], %[[Z]]
// CHECK: arith.cmpf oge
// CHECK: arith.maxsi
// CHECK: arith.minsi
func.func @axis(%x: tensor<3x2xf32>) -> tensor<3x2x!axis> {
  %q = a2q.quantize %x rounding half_up : tensor<3x2xf32> to tensor<3x2x!axis>
  return %q : tensor<3x2x!axis>
}

// CHECK-LABEL: @casts(
// CHECK-DAG: arith.constant dense<[-1, 7]> : tensor<2xi8>
// CHECK-DAG: arith.constant dense<[15, 7]> : tensor<2xi8>
// CHECK-NOT: quant
// CHECK: return
func.func @casts() -> (tensor<2x!i4>, tensor<2x!u4>) {
  %c = arith.constant dense<[-1, 7]> : tensor<2xi4>
  %s = quant.scast %c : tensor<2xi4> to tensor<2x!i4>
  %u = quant.scast %c : tensor<2xi4> to tensor<2x!u4>
  return %s, %u : tensor<2x!i4>, tensor<2x!u4>
}

// Calls, loops and ops that move elements keep their form.
// CHECK-LABEL: func.func private @callee(
// CHECK-SAME: tensor<1x2xi8>
func.func private @callee(%x: tensor<1x2x!u4>) -> tensor<2x!u4> {
  // CHECK: tensor.collapse_shape %{{.*}} : tensor<1x2xi8> into tensor<2xi8>
  %c = tensor.collapse_shape %x [[0, 1]] : tensor<1x2x!u4> into tensor<2x!u4>
  return %c : tensor<2x!u4>
}

// CHECK-LABEL: @moves(
func.func @moves(%x: tensor<2x1x!u4>, %n: index) -> tensor<2x!u4> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // CHECK: scf.for {{.*}} -> (tensor<2x1xi8>)
  %y = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x) -> tensor<2x1x!u4> {
    %e = tensor.extract %a[%c0, %c0] : tensor<2x1x!u4>
    %f = tensor.insert %e into %a[%c1, %c0] : tensor<2x1x!u4>
    scf.yield %f : tensor<2x1x!u4>
  }
  // CHECK: linalg.transpose ins(%{{.*}} : tensor<2x1xi8>)
  %t = tensor.empty() : tensor<1x2x!u4>
  %p = linalg.transpose ins(%y : tensor<2x1x!u4>) outs(%t : tensor<1x2x!u4>) permutation = [1, 0]
  // CHECK: call @callee(%{{.*}}) : (tensor<1x2xi8>) -> tensor<2xi8>
  %r = call @callee(%p) : (tensor<1x2x!u4>) -> tensor<2x!u4>
  return %r : tensor<2x!u4>
}
