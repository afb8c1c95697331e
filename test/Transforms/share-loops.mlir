// RUN: a2q-opt %s "--pass-pipeline=builtin.module(func.func(a2q-share-loops{threads=4}))" --split-input-file | FileCheck %s
// RUN: a2q-opt %s "--pass-pipeline=builtin.module(func.func(a2q-share-loops))" --split-input-file | FileCheck %s --check-prefix=ONE

// Without threads nothing is shared, and no attribute is left.
// ONE-NOT: scf.parallel
// ONE-NOT: a2q.parallel

// Eight trips for four threads.
// CHECK-LABEL: func.func @outer(
// CHECK: scf.parallel
// CHECK: scf.for
// CHECK: scf.for
// CHECK-NOT: a2q.parallel
func.func @outer(%a: memref<8x100x100xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %c100 = arith.constant 100 : index
  %f = arith.constant 1.0 : f32
  scf.for %i = %c0 to %c8 step %c1 {
    scf.for %j = %c0 to %c100 step %c1 {
      scf.for %k = %c0 to %c100 step %c1 {
        memref.store %f, %a[%i, %j, %k] : memref<8x100x100xf32>
      }
    } {a2q.parallel}
  } {a2q.parallel}
  return
}

// -----

// Five trips leave three threads idle for half of the time; the 100 trips
// inside do not.
// CHECK-LABEL: func.func @inner(
// CHECK: scf.for
// CHECK: scf.parallel
// CHECK: scf.for
func.func @inner(%a: memref<5x100x1000xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  %c100 = arith.constant 100 : index
  %c1000 = arith.constant 1000 : index
  %f = arith.constant 1.0 : f32
  scf.for %i = %c0 to %c5 step %c1 {
    scf.for %j = %c0 to %c100 step %c1 {
      scf.for %k = %c0 to %c1000 step %c1 {
        memref.store %f, %a[%i, %j, %k] : memref<5x100x1000xf32>
      }
    } {a2q.parallel}
  } {a2q.parallel}
  return
}

// -----

// Too little work, a buffer in a trip, a carried value: not shared.
// CHECK-LABEL: func.func @none(
// CHECK-NOT: scf.parallel
// CHECK: return
func.func @none(%a: memref<8x100x1000xf32>) -> f32 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %c1000 = arith.constant 1000 : index
  %c100000 = arith.constant 100000 : index
  %f = arith.constant 1.0 : f32
  scf.for %i = %c0 to %c8 step %c1 {
    memref.store %f, %a[%i, %c0, %c0] : memref<8x100x1000xf32>
  } {a2q.parallel}
  scf.for %i = %c0 to %c8 step %c1 {
    %b = memref.alloc() : memref<1000xf32>
    scf.for %k = %c0 to %c100000 step %c1 {
      memref.store %f, %b[%c0] : memref<1000xf32>
    }
    memref.dealloc %b : memref<1000xf32>
  } {a2q.parallel}
  %sum = scf.for %i = %c0 to %c100000 step %c1 iter_args(%s = %f) -> (f32) {
    %t = arith.addf %s, %f : f32
    scf.yield %t : f32
  } {a2q.parallel}
  return %sum : f32
}
