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
