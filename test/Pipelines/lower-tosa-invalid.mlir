// RUN: not a2q-opt %s --a2q-lower-tosa-pipeline 2>&1 | FileCheck %s
// RUN: not a2q-opt %s --a2q-to-llvm-pipeline=isa=portable 2>&1 | FileCheck %s

// CHECK: error: failed to legalize operation 'tosa.custom'
// CHECK-NOT: error:
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = tosa.custom %x {domain_name = "d", implementation_attrs = "", operator_name = "op"} : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}
