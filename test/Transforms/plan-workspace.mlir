// RUN: a2q-opt %s --a2q-plan-workspace --split-input-file --verify-diagnostics | FileCheck %s

// Three buffers of 40 bytes: %a and %b are alive together, %c begins when both
// have been read for the last time and takes the place of the first. Offsets
// are multiples of 64, so 64 + 40 bytes suffice.
// CHECK-LABEL: func.func @reuse(
// CHECK-SAME: %[[X:[a-z0-9]+]]: memref<10xf32>, %[[Y:[a-z0-9]+]]: memref<10xf32>,
// CHECK-SAME: %[[W:[a-z0-9]+]]: memref<104xi8>)
// CHECK-SAME: a2q.entry = {alignments = array<i64: 4, 4>, inputs = 1 : i64, outputs = 1 : i64, workspace = 104 : i64}
// CHECK-DAG: %[[A:.*]] = memref.view %[[W]][%[[ZERO:.*]]][]
// CHECK-DAG: %[[B:.*]] = memref.view %[[W]][%[[NEXT:.*]]][]
// CHECK-DAG: %[[ZERO]] = arith.constant 0
// CHECK-DAG: %[[NEXT]] = arith.constant 64
// CHECK: memref.copy %[[X]], %[[A]]
// CHECK: memref.copy %[[A]], %[[B]]
// CHECK-NOT: memref.dealloc
func.func @reuse(%x: memref<10xf32> {a2q.range = [0, 1]}, %y: memref<10xf32>)
    attributes {a2q.entry = {inputs = 1 : i64}} {
  %a = memref.alloc() : memref<10xf32>
  memref.copy %x, %a : memref<10xf32> to memref<10xf32>
  %b = memref.alloc() : memref<10xf32>
  memref.copy %a, %b : memref<10xf32> to memref<10xf32>
  memref.dealloc %a : memref<10xf32>
  memref.copy %b, %y : memref<10xf32> to memref<10xf32>
  %c = memref.alloc() : memref<10xf32>
  memref.copy %x, %c : memref<10xf32> to memref<10xf32>
  memref.copy %c, %y : memref<10xf32> to memref<10xf32>
  return
}

// -----

// A view keeps its buffer alive: %b must not take the place of %a.
// CHECK-LABEL: func.func @view(
// CHECK-SAME: memref<128xi8>)
func.func @view(%y: memref<64xi8>) attributes {a2q.entry = {inputs = 0 : i64}} {
  %a = memref.alloc() : memref<64xi8>
  %v = memref.expand_shape %a [[0, 1]] output_shape [8, 8] : memref<64xi8> into memref<8x8xi8>
  %b = memref.alloc() : memref<64xi8>
  memref.copy %y, %b : memref<64xi8> to memref<64xi8>
  memref.copy %b, %y : memref<64xi8> to memref<64xi8>
  %c = memref.collapse_shape %v [[0, 1]] : memref<8x8xi8> into memref<64xi8>
  memref.copy %c, %y : memref<64xi8> to memref<64xi8>
  return
}

// -----

// Strided copies become loops: the run-time library that would copy is absent.
// CHECK-LABEL: func.func @strided(
// CHECK-NOT: memref.copy
// CHECK: linalg.generic
func.func @strided(%x: memref<4x4xi8>, %y: memref<4x2xi8>)
    attributes {a2q.entry = {inputs = 1 : i64}} {
  %s = memref.subview %x[0, 0] [4, 2] [1, 1] : memref<4x4xi8> to memref<4x2xi8, strided<[4, 1]>>
  memref.copy %s, %y : memref<4x2xi8, strided<[4, 1]>> to memref<4x2xi8>
  return
}

// -----

// expected-error @below {{is not prepared}}
// expected-note @below {{run a2q-prepare-entry}}
func.func @unprepared() {
  return
}

// -----

func.func @dynamic(%n: index) attributes {a2q.entry = {inputs = 0 : i64}} {
  // expected-error @below {{whose size is not known when the workspace is planned}}
  %a = memref.alloc(%n) : memref<?xi8>
  memref.dealloc %a : memref<?xi8>
  return
}

// -----

// expected-error @below {{needs a workspace whose bytes 64 bits cannot count}}
func.func @large(%y: memref<64xi8>) attributes {a2q.entry = {inputs = 0 : i64}} {
  %a = memref.alloc() : memref<9223372036854775800xi8>
  %b = memref.alloc() : memref<64xi8>
  memref.copy %y, %b : memref<64xi8> to memref<64xi8>
  %v = memref.subview %a[0] [64] [1] : memref<9223372036854775800xi8> to memref<64xi8, strided<[1]>>
  memref.copy %b, %v : memref<64xi8> to memref<64xi8, strided<[1]>>
  return
}
