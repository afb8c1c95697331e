// RUN: a2q-opt %s --a2q-separate-results | FileCheck %s

// As a program: equal ops become one, and a view of a result is returned too.
// RUN: rm -rf %t && mkdir %t
// RUN: %python -c "import numpy as np; np.save('%t/x.npy', np.arange(6, dtype=np.float32).reshape(2, 3))"
// RUN: a2q-run %s --input=%t/x.npy --output=%t/0.npy --output=%t/1.npy --output=flat=%t/2.npy --output=%t/3.npy
// RUN: cmp %t/0.npy %t/1.npy && cmp %t/0.npy %t/3.npy
// RUN: %python -c "import numpy as np; y = np.load('%t/2.npy'); assert (y == [0, -1, -2, -3, -4, -5]).all(), y; y = np.load('%t/0.npy'); assert (y == [[0, -1, -2], [-3, -4, -5]]).all(), y"

// CHECK-LABEL: func.func @main
// CHECK: %[[Y:.*]] = arith.negf
// CHECK: %[[Z:.*]] = arith.negf
// CHECK: %[[COPY:.*]] = bufferization.alloc_tensor() copy(%[[Y]]) : tensor<2x3xf32>
// CHECK-NEXT: return %[[Y]], %[[COPY]], %{{.*}}, %[[Z]]
func.func @main(%x: tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>,
    tensor<6xf32> {a2q.name = "flat"}, tensor<2x3xf32>) {
  %y = arith.negf %x : tensor<2x3xf32>
  %z = arith.negf %x : tensor<2x3xf32>
  %v = tensor.collapse_shape %z [[0, 1]] : tensor<2x3xf32> into tensor<6xf32>
  return %y, %y, %v, %z
    : tensor<2x3xf32>, tensor<2x3xf32>, tensor<6xf32>, tensor<2x3xf32>
}
