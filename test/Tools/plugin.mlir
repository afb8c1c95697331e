// REQUIRES: plugin
// The stock optimizer narrows plain IR, and knows the dialect, its passes and
// its pipelines.
// RUN: mlir-opt %s --load-dialect-plugin=%a2q_obj/lib/A2QPlugin.so --load-pass-plugin=%a2q_obj/lib/A2QPlugin.so --pass-pipeline='builtin.module(a2q-narrow-linalg)' | FileCheck %s
// What comes out is upstream IR: no plugin reads it.
// RUN: mlir-opt %s --load-dialect-plugin=%a2q_obj/lib/A2QPlugin.so --load-pass-plugin=%a2q_obj/lib/A2QPlugin.so --pass-pipeline='builtin.module(a2q-narrow-linalg)' | mlir-opt | FileCheck %s
// RUN: mlir-opt --load-pass-plugin=%a2q_obj/lib/A2QPlugin.so --help | FileCheck %s --check-prefix=HELP
// RUN: mlir-opt --load-dialect-plugin=%a2q_obj/lib/A2QPlugin.so --show-dialects | FileCheck %s --check-prefix=DIALECTS

// HELP-DAG: --a2q-infer-accumulators
// HELP-DAG: --a2q-narrow-linalg
// DIALECTS: a2q

// Activations -128..127 times a column of l1 norm 256.
// CHECK-LABEL: @narrowed
// CHECK: linalg.matmul {{.*}} -> tensor<4x2xi16>
// CHECK: arith.extsi
func.func @narrowed(%x: tensor<4x3xi8>) -> tensor<4x2xi32> {
  %w = arith.constant dense<[[127, 1], [-127, 2], [2, 3]]> : tensor<3x2xi8>
  %c0 = arith.constant 0 : i32
  %empty = tensor.empty() : tensor<4x2xi32>
  %zero = linalg.fill ins(%c0 : i32) outs(%empty : tensor<4x2xi32>) -> tensor<4x2xi32>
  %y = linalg.matmul ins(%x, %w : tensor<4x3xi8>, tensor<3x2xi8>) outs(%zero : tensor<4x2xi32>) -> tensor<4x2xi32>
  return %y : tensor<4x2xi32>
}

// One more is too much.
// CHECK-LABEL: @kept
// CHECK: linalg.matmul {{.*}} -> tensor<4x2xi32>
func.func @kept(%x: tensor<4x3xi8>) -> tensor<4x2xi32> {
  %w = arith.constant dense<[[127, 1], [127, 2], [3, 3]]> : tensor<3x2xi8>
  %c0 = arith.constant 0 : i32
  %empty = tensor.empty() : tensor<4x2xi32>
  %zero = linalg.fill ins(%c0 : i32) outs(%empty : tensor<4x2xi32>) -> tensor<4x2xi32>
  %y = linalg.matmul ins(%x, %w : tensor<4x3xi8>, tensor<3x2xi8>) outs(%zero : tensor<4x2xi32>) -> tensor<4x2xi32>
  return %y : tensor<4x2xi32>
}
