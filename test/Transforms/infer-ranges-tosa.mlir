// RUN: a2q-opt %s --a2q-infer-ranges | FileCheck %s

// -100 and 100 less -28 are -72 and 128, a quarter of that -18 and 32, plus 5. Both
// ends of the second channel saturate.
// CHECK-LABEL: @rescale
func.func @rescale(%x: tensor<1x2xi8> {a2q.range = [-100, 100]}, %y: tensor<2xi32> {a2q.range = [-6, 6]}) -> (tensor<1x2xi8>, tensor<2xi8>, tensor<2xi8>) {
  %m = "tosa.const"() {values = dense<[1073741824, 1073741824]> : tensor<2xi32>} : () -> tensor<2xi32>
  %s = "tosa.const"() {values = dense<[32, 22]> : tensor<2xi8>} : () -> tensor<2xi8>
  %i = "tosa.const"() {values = dense<-28> : tensor<1xi8>} : () -> tensor<1xi8>
  %o = "tosa.const"() {values = dense<5> : tensor<1xi8>} : () -> tensor<1xi8>
  // CHECK: tosa.rescale {{.*}}a2q.range = {axis = 1 : i64, hi = array<i64: 37, 127>, lo = array<i64: -13, -128>}
  %r = tosa.rescale %x, %m, %s, %i, %o {input_unsigned = false, output_unsigned = false, per_channel = true, rounding_mode = DOUBLE_ROUND, scale32 = true}
      : (tensor<1x2xi8>, tensor<2xi32>, tensor<2xi8>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x2xi8>
  // A tie below 0: -1.5 is -1 rounded once and -2 rounded twice.
  %m1 = "tosa.const"() {values = dense<1073741824> : tensor<1xi32>} : () -> tensor<1xi32>
  %s1 = "tosa.const"() {values = dense<32> : tensor<1xi8>} : () -> tensor<1xi8>
  %z32 = "tosa.const"() {values = dense<0> : tensor<1xi32>} : () -> tensor<1xi32>
  %z8 = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  // CHECK: tosa.rescale {{.*}}a2q.range = [-1, 2]
  %once = tosa.rescale %y, %m1, %s1, %z32, %z8 {input_unsigned = false, output_unsigned = false, per_channel = false, rounding_mode = SINGLE_ROUND, scale32 = true}
      : (tensor<2xi32>, tensor<1xi32>, tensor<1xi8>, tensor<1xi32>, tensor<1xi8>) -> tensor<2xi8>
  // CHECK: tosa.rescale {{.*}}a2q.range = [-2, 2]
  %twice = tosa.rescale %y, %m1, %s1, %z32, %z8 {input_unsigned = false, output_unsigned = false, per_channel = false, rounding_mode = DOUBLE_ROUND, scale32 = true}
      : (tensor<2xi32>, tensor<1xi32>, tensor<1xi8>, tensor<1xi32>, tensor<1xi8>) -> tensor<2xi8>
  return %r, %once, %twice : tensor<1x2xi8>, tensor<2xi8>, tensor<2xi8>
}

// What TOSA does not define is not bounded: beyond 32 bits before the clamp.
// CHECK-LABEL: @undefined
func.func @undefined(%x: tensor<2xi32> {a2q.range = [0, 2000000000]}) -> tensor<2xi8> {
  %m = "tosa.const"() {values = dense<1073741824> : tensor<1xi32>} : () -> tensor<1xi32>
  %s = "tosa.const"() {values = dense<20> : tensor<1xi8>} : () -> tensor<1xi8>
  %z32 = "tosa.const"() {values = dense<0> : tensor<1xi32>} : () -> tensor<1xi32>
  %z8 = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  // CHECK: tosa.rescale {{.*}}a2q.range = [-128, 127]
  %r = tosa.rescale %x, %m, %s, %z32, %z8 {input_unsigned = false, output_unsigned = false, per_channel = false, rounding_mode = SINGLE_ROUND, scale32 = true}
      : (tensor<2xi32>, tensor<1xi32>, tensor<1xi8>, tensor<1xi32>, tensor<1xi8>) -> tensor<2xi8>
  return %r : tensor<2xi8>
}

// CHECK-LABEL: @arithmetic
func.func @arithmetic(%x: tensor<2x8xi32> {a2q.range = [-3, 5]}, %y: tensor<2x8xi32> {a2q.range = [10, 20]}) -> (tensor<2x8xi32>, tensor<2x8xi32>, tensor<2x8xi32>, tensor<2x1xi32>, tensor<2x1xi32>) {
  // CHECK: tosa.add {{.*}}a2q.range = [7, 25]
  %a = tosa.add %x, %y : (tensor<2x8xi32>, tensor<2x8xi32>) -> tensor<2x8xi32>
  // CHECK: tosa.sub {{.*}}a2q.range = [-23, -5]
  %s = tosa.sub %x, %y : (tensor<2x8xi32>, tensor<2x8xi32>) -> tensor<2x8xi32>
  // CHECK: tosa.maximum {{.*}}a2q.range = [7, 25]
  %m = tosa.maximum %a, %s : (tensor<2x8xi32>, tensor<2x8xi32>) -> tensor<2x8xi32>
  // CHECK: tosa.reduce_sum {{.*}}a2q.range = [-24, 40]
  %r = tosa.reduce_sum %x {axis = 1 : i32} : (tensor<2x8xi32>) -> tensor<2x1xi32>
  // CHECK: tosa.reduce_max {{.*}}a2q.range = [-3, 5]
  %t = tosa.reduce_max %x {axis = 1 : i32} : (tensor<2x8xi32>) -> tensor<2x1xi32>
  return %a, %s, %m, %r, %t : tensor<2x8xi32>, tensor<2x8xi32>, tensor<2x8xi32>, tensor<2x1xi32>, tensor<2x1xi32>
}

// Entries of a table; means, which are moved by the zero points.
// CHECK-LABEL: @functions
func.func @functions(%x: tensor<1x4x4x1xi8> {a2q.range = [-3, 5]}) -> (tensor<1x4x4x1xi8>, tensor<1x2x2x1xi8>) {
  %i = "tosa.const"() {values = dense<1> : tensor<1xi8>} : () -> tensor<1xi8>
  %o = "tosa.const"() {values = dense<-10> : tensor<1xi8>} : () -> tensor<1xi8>
  %all = "tosa.const"() {values = dense<4> : tensor<256xi8>} : () -> tensor<256xi8>
  // CHECK: tosa.table {{.*}}a2q.range = [4, 4]
  %a = tosa.table %x, %all : (tensor<1x4x4x1xi8>, tensor<256xi8>) -> tensor<1x4x4x1xi8>
  // CHECK: tosa.avg_pool2d {{.*}}a2q.range = [-14, -6]
  %p = tosa.avg_pool2d %x, %i, %o {acc_type = i32, kernel = array<i64: 2, 2>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 2, 2>}
      : (tensor<1x4x4x1xi8>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x2x2x1xi8>
  return %a, %p : tensor<1x4x4x1xi8>, tensor<1x2x2x1xi8>
}
