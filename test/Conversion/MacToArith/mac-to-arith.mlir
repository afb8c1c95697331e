// RUN: a2q-opt %s --convert-a2q-mac-to-arith | FileCheck %s

// CHECK-LABEL: @one
// CHECK: %[[X:.*]] = arith.extui %arg1 : vector<4xi8> to vector<4xi16>
// CHECK: %[[W:.*]] = arith.extsi %arg2 : vector<4xi8> to vector<4xi16>
// CHECK: %[[P:.*]] = arith.muli %[[X]], %[[W]]
// CHECK: arith.addi %arg0, %[[P]]
func.func @one(%a: vector<4xi16>, %x: vector<4xi8>, %w: vector<4xi8>) -> vector<4xi16> {
  %r = a2q.mac %a, %x unsigned, %w : vector<4xi16>, vector<4xi8>, vector<4xi8> -> vector<4xi16>
  return %r : vector<4xi16>
}

// CHECK-LABEL: @two
// CHECK: %[[P:.*]] = arith.muli
// CHECK: %[[E:.*]] = vector.shuffle %[[P]], %[[P]] [0, 2]
// CHECK: %[[S:.*]] = arith.addi %arg0, %[[E]]
// CHECK: %[[O:.*]] = vector.shuffle %[[P]], %[[P]] [1, 3]
// CHECK: arith.addi %[[S]], %[[O]]
func.func @two(%a: vector<2xi32>, %x: vector<4xi8>, %w: vector<4xi8>) -> vector<2xi32> {
  %r = a2q.mac %a, %x, %w : vector<2xi32>, vector<4xi8>, vector<4xi8> -> vector<2xi32>
  return %r : vector<2xi32>
}

// CHECK-LABEL: @look_up
// CHECK: %[[I:.*]] = vector.extract %arg1[0]
// CHECK: %[[N:.*]] = arith.index_castui %[[I]] : i8 to index
// CHECK: %[[E:.*]] = vector.extract %arg0[%[[N]]] : i8 from vector<16xi8>
// CHECK: vector.insert %[[E]], %{{.*}} [0]
// CHECK: vector.extract %arg1[1]
func.func @look_up(%t: vector<16xi8>, %i: vector<2xi8>) -> vector<2xi8> {
  %r = a2q.look_up %t at %i : vector<16xi8>, vector<2xi8>
  return %r : vector<2xi8>
}
