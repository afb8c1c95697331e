// A network without a layer that sums products, and without an op or a type of
// the project: there is nothing to prove, and it compiles.

// RUN: a2q-check %s | count 1

// RUN: rm -f %t.o
// RUN: a2q-compile %s -o %t.o --accumulator=32 --prefix=negate && test -f %t.o
// RUN: a2q-compile %s -o %t.o --accumulator=8 --prefix=negate

// Its own functions are inlined; what cannot be is an error.
// RUN: sed 's/@negate(%%a)/@main(%%a)/' %s >%t.mlir
// RUN: not a2q-compile %t.mlir -o %t.none.o --accumulator=32 --prefix=recurse 2>&1 | FileCheck %s --check-prefix=RECURSION
// RECURSION: error: 'func.call' op is left in the entry
// RUN: not ls %t.none.o

func.func private @negate(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = arith.negf %x : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func @main(%a: tensor<4xf32>) -> tensor<4xf32> {
  %y = call @negate(%a) : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}
