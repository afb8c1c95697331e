// Narrowed programs give the sums of the programs they were, on inputs that
// reach both ends of 16 bits.
// DEFINE: %{lower} = convert-elementwise-to-linalg,one-shot-bufferize{bufferize-function-boundaries},convert-linalg-to-loops,convert-scf-to-cf,expand-strided-metadata,lower-affine,convert-arith-to-llvm,convert-cf-to-llvm,finalize-memref-to-llvm,convert-func-to-llvm,reconcile-unrealized-casts
// RUN: a2q-opt %s --a2q-narrow-linalg -o %t.narrow.mlir
// RUN: FileCheck %s --check-prefix=NARROW --input-file=%t.narrow.mlir
// RUN: a2q-opt %s --pass-pipeline='builtin.module(%{lower})' | mlir-runner -e main -entry-point-result=void -shared-libs=%mlir_libs/libmlir_runner_utils.so,%mlir_libs/libmlir_c_runner_utils.so > %t.wide
// RUN: a2q-opt %t.narrow.mlir --pass-pipeline='builtin.module(%{lower})' | mlir-runner -e main -entry-point-result=void -shared-libs=%mlir_libs/libmlir_runner_utils.so,%mlir_libs/libmlir_c_runner_utils.so > %t.narrow
// RUN: grep -v "base@" %t.wide > %t.wide.values
// RUN: grep -v "base@" %t.narrow > %t.narrow.values
// RUN: diff %t.wide.values %t.narrow.values
// RUN: FileCheck %s --input-file=%t.narrow.values

func.func private @printMemrefI32(tensor<*xi32>)

// NARROW-LABEL: @matmul
// NARROW: -> tensor<3x2xi16>
func.func @matmul(%x: tensor<3x3xi8>) -> tensor<3x2xi32> {
  %w = arith.constant dense<[[127, -1], [-127, 1], [2, 3]]> : tensor<3x2xi8>
  %zero = arith.constant dense<0> : tensor<3x2xi32>
  %y = linalg.matmul ins(%x, %w : tensor<3x3xi8>, tensor<3x2xi8>) outs(%zero : tensor<3x2xi32>) -> tensor<3x2xi32>
  return %y : tensor<3x2xi32>
}

// Unsigned times signed: 255 * 128 and -255 * 128.
// NARROW-LABEL: @mixed
// NARROW: tensor<3x2xi16>
func.func @mixed(%x: tensor<3x3xi8>) -> tensor<3x2xi32> {
  %w = arith.constant dense<[[127, 0, 1], [-1, -127, 0]]> : tensor<2x3xi8>
  %c0 = arith.constant 0 : i32
  %empty = tensor.empty() : tensor<3x2xi32>
  %zero = linalg.fill ins(%c0 : i32) outs(%empty : tensor<3x2xi32>) -> tensor<3x2xi32>
  %y = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>],
                       iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<3x3xi8>, tensor<2x3xi8>) outs(%zero : tensor<3x2xi32>) {
  ^bb0(%a: i8, %b: i8, %c: i32):
    %0 = arith.extui %a : i8 to i32
    %1 = arith.extsi %b : i8 to i32
    %2 = arith.muli %0, %1 : i32
    %3 = arith.addi %c, %2 : i32
    linalg.yield %3 : i32
  } -> tensor<3x2xi32>
  return %y : tensor<3x2xi32>
}

// Differences, and an initial value.
// NARROW-LABEL: @quantized
// NARROW: linalg.quantized_matmul {{.*}} -> tensor<3x2xi16>
func.func @quantized(%x: tensor<3x3xi8>) -> tensor<3x2xi32> {
  %w = arith.constant dense<[[63, -1], [-63, 1], [2, 3]]> : tensor<3x2xi8>
  %init = arith.constant dense<[[-500, 500], [1, -1], [0, 7]]> : tensor<3x2xi32>
  %zx = arith.constant 100 : i32
  %zw = arith.constant -1 : i32
  %y = linalg.quantized_matmul ins(%x, %w, %zx, %zw : tensor<3x3xi8>, tensor<3x2xi8>, i32, i32) outs(%init : tensor<3x2xi32>) -> tensor<3x2xi32>
  return %y : tensor<3x2xi32>
}

// 8 bits: each channel passes one input on.
// NARROW-LABEL: @depthwise
// NARROW: linalg.depthwise_conv_2d_nhwc_hwc {{.*}} -> tensor<1x2x1x3xi8>
func.func @depthwise(%x: tensor<1x3x1x3xi8>) -> tensor<1x2x1x3xi32> {
  %w = arith.constant dense<[[[1, 0, 1]], [[0, 1, 0]]]> : tensor<2x1x3xi8>
  %zero = arith.constant dense<0> : tensor<1x2x1x3xi32>
  %y = linalg.depthwise_conv_2d_nhwc_hwc ins(%x, %w : tensor<1x3x1x3xi8>, tensor<2x1x3xi8>) outs(%zero : tensor<1x2x1x3xi32>) -> tensor<1x2x1x3xi32>
  return %y : tensor<1x2x1x3xi32>
}

func.func @main() {
  // The witnesses of the first column's ends, and something between.
  %x = arith.constant dense<[[-128, 127, -128], [127, -128, 127], [-1, 0, 77]]> : tensor<3x3xi8>
  // -128 * 127 - 127 * 127 - 128 * 2 = -32641, 127 * 127 + 128 * 127 + 254 = 32639.
  // CHECK: [-32641, -129]
  // CHECK-NEXT: [32639, 126]
  %0 = call @matmul(%x) : (tensor<3x3xi8>) -> tensor<3x2xi32>
  %1 = tensor.cast %0 : tensor<3x2xi32> to tensor<*xi32>
  call @printMemrefI32(%1) : (tensor<*xi32>) -> ()
  // 128 * 127 + 128 = 16384, -128 - 127 * 127 = -16257.
  // CHECK: [16384, -16257]
  %2 = call @mixed(%x) : (tensor<3x3xi8>) -> tensor<3x2xi32>
  %3 = tensor.cast %2 : tensor<3x2xi32> to tensor<*xi32>
  call @printMemrefI32(%3) : (tensor<*xi32>) -> ()
  // -228 * 64 - 27 * 62 - 228 * 3 - 500 = -17450.
  // CHECK: [-17450,
  %4 = call @quantized(%x) : (tensor<3x3xi8>) -> tensor<3x2xi32>
  %5 = tensor.cast %4 : tensor<3x2xi32> to tensor<*xi32>
  call @printMemrefI32(%5) : (tensor<*xi32>) -> ()
  %image = arith.constant dense<[[[[-128, 127, -128]], [[127, -128, 127]], [[-1, 0, 77]]]]> : tensor<1x3x1x3xi8>
  // CHECK: -128,{{ *}}-128,{{ *}}-128
  %6 = call @depthwise(%image) : (tensor<1x3x1x3xi8>) -> tensor<1x2x1x3xi32>
  %7 = tensor.cast %6 : tensor<1x2x1x3xi32> to tensor<*xi32>
  call @printMemrefI32(%7) : (tensor<*xi32>) -> ()
  return
}
