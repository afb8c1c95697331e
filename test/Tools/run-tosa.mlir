// What files of other compilers have that programs have not: an open batch, which
// the array decides, or 1; unsigned integers; variables, which become an input and
// an output; sums that nothing has proven.

// RUN: %python -c "import numpy as np; np.save('%t.x.npy', np.array([[1, 2], [-3, 4], [127, -128]], np.int8)); np.save('%t.s.npy', np.array([[5, 6]], np.int8))"
// RUN: a2q-run %s --input input0=%t.x.npy --input state=%t.s.npy --output output0=%t.y.npy --output output1=%t.u.npy --output state=%t.z.npy
// RUN: %python -c "import numpy as np; [print(np.load('%t.' + n + '.npy').dtype, np.load('%t.' + n + '.npy').tolist()) for n in 'yuz']" | FileCheck %s
// CHECK: int32 {{\[\[}}5, 4, 3], [5, -2, -9], [-129, 126, 381]]
// CHECK: uint8 {{\[\[}}129, 130], [125, 132], [255, 0]]
// CHECK: int8 {{\[\[}}6, 5]]

// RUN: a2q-compile %s -o %t.o
// RUN: FileCheck %s --input-file=%t.h --check-prefix=HEADER
// HEADER: inputs[0]: int8_t [1][2], input0
// HEADER: inputs[1]: int8_t [1][2], state
// HEADER: outputs[1]: uint8_t [1][2], output1
// HEADER: outputs[2]: int8_t [1][2], state

// RUN: a2q-check %s --accumulator=16 | FileCheck %s --check-prefix=REPORT
// REPORT: a2q.matmul#0 2 {{.*}} 10 0

tosa.variable @state = dense<0> : tensor<1x2xi8>
func.func @main(%x: tensor<?x2xi8>) -> (tensor<?x3xi32>, tensor<?x2xui8>) {
  %w = "tosa.const"() {values = dense<[[[1, 2, 3]], [[2, 1, 0]]]> : tensor<2x1x3xi8>} : () -> tensor<2x1x3xi8>
  %bs = tosa.const_shape {values = dense<[1, 2, 3]> : tensor<3xindex>} : () -> !tosa.shape<3>
  %b = tosa.reshape %w, %bs : (tensor<2x1x3xi8>, !tosa.shape<3>) -> tensor<1x2x3xi8>
  %zero = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  %as = tosa.const_shape {values = dense<[1, -1, 2]> : tensor<3xindex>} : () -> !tosa.shape<3>
  %a = tosa.reshape %x, %as : (tensor<?x2xi8>, !tosa.shape<3>) -> tensor<1x?x2xi8>
  %y = tosa.matmul %a, %b, %zero, %zero : (tensor<1x?x2xi8>, tensor<1x2x3xi8>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x?x3xi32>
  %ys = tosa.const_shape {values = dense<[-1, 3]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %r = tosa.reshape %y, %ys : (tensor<1x?x3xi32>, !tosa.shape<2>) -> tensor<?x3xi32>
  %m = "tosa.const"() {values = dense<1073741824> : tensor<1xi32>} : () -> tensor<1xi32>
  %h = "tosa.const"() {values = dense<30> : tensor<1xi8>} : () -> tensor<1xi8>
  %uz = "tosa.const"() {values = dense<128> : tensor<1xui8>} : () -> tensor<1xui8>
  %u = tosa.rescale %x, %m, %h, %zero, %uz {input_unsigned = false, output_unsigned = true, per_channel = false, rounding_mode = SINGLE_ROUND, scale32 = true}
      : (tensor<?x2xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>, tensor<1xui8>) -> tensor<?x2xui8>
  %s = tosa.variable_read @state : tensor<1x2xi8>
  %t = tosa.reverse %s {axis = 1 : i32} : (tensor<1x2xi8>) -> tensor<1x2xi8>
  tosa.variable_write @state, %t : tensor<1x2xi8>
  return %r, %u : tensor<?x3xi32>, tensor<?x2xui8>
}
