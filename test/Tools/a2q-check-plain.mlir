// Sums of plain integers: 8 products of at most 3 * 100 need 13 bits. The range
// of 8-bit arguments alone would ask for 18.

// RUN: not a2q-check %s 2>&1 | FileCheck %s --implicit-check-not=error
// CHECK: a2q-check-plain.mlir:[[#@LINE+8]]:{{.*}}: error: channel 0 needs 13 bits, the accumulator has 8
// CHECK: note: elements of i16 hold every partial sum; a2q.range on arguments tells that fewer values occur

// RUN: sed -e 's/4x2xi8/4x2xi32/g' %s | a2q-check - | FileCheck %s --check-prefix=WIDE
// WIDE: linalg.matmul#0 8 {{.*}} i32 {{ *}}0
func.func @main(%x: tensor<4x8xi8> {a2q.range = [-3, 3]}) -> tensor<4x2xi8> {
  %w = arith.constant dense<100> : tensor<8x2xi8>
  %z = arith.constant dense<0> : tensor<4x2xi8>
  %y = linalg.matmul ins(%x, %w : tensor<4x8xi8>, tensor<8x2xi8>) outs(%z : tensor<4x2xi8>) -> tensor<4x2xi8>
  return %y : tensor<4x2xi8>
}
