// RUN: a2q-opt %s --convert-a2q-mac-to-x86=isa=avx512vbmi | FileCheck %s --check-prefix=VBMI
// RUN: a2q-opt %s --convert-a2q-mac-to-x86=isa=avx512vnni | FileCheck %s --check-prefixes=CHECK,VNNI
// RUN: a2q-opt %s --convert-a2q-mac-to-x86=isa=avx2 | FileCheck %s --check-prefixes=CHECK,AVX2

// CHECK-LABEL: @pairs
// CHECK: %[[P:.*]] = llvm.call_intrinsic "llvm.x86.avx2.pmadd.ub.sw"(%arg1, %arg2)
// CHECK: arith.addi %arg0, %[[P]] : vector<16xi16>
func.func @pairs(%a: vector<16xi16>, %x: vector<32xi8>, %w: vector<32xi8>) -> vector<16xi16> {
  %r = a2q.mac %a, %x unsigned, %w pair_exact range [0, 15]
      : vector<16xi16>, vector<32xi8>, vector<32xi8> -> vector<16xi16>
  return %r : vector<16xi16>
}

// A pair that may leave 16 bits wraps; the instruction would saturate it.
// CHECK-LABEL: @not_proven
// CHECK: a2q.mac
func.func @not_proven(%a: vector<16xi16>, %x: vector<32xi8>, %w: vector<32xi8>) -> vector<16xi16> {
  %r = a2q.mac %a, %x unsigned, %w : vector<16xi16>, vector<32xi8>, vector<32xi8> -> vector<16xi16>
  return %r : vector<16xi16>
}

// Registers of 512 bits are not AVX2's.
// CHECK-LABEL: @wide
// VNNI: llvm.call_intrinsic "llvm.x86.avx512.pmaddubs.w.512"
// AVX2: a2q.mac
func.func @wide(%a: vector<32xi16>, %x: vector<64xi8>, %w: vector<64xi8>) -> vector<32xi16> {
  %r = a2q.mac %a, %x unsigned, %w pair_exact range [0, 15]
      : vector<32xi16>, vector<64xi8>, vector<64xi8> -> vector<32xi16>
  return %r : vector<32xi16>
}

// CHECK-LABEL: @words
// CHECK-DAG: %[[X:.*]] = arith.extui %arg1 : vector<8xi8> to vector<8xi16>
// CHECK-DAG: %[[W:.*]] = arith.extsi %arg2 : vector<8xi8> to vector<8xi16>
// CHECK: llvm.call_intrinsic "llvm.x86.sse2.pmadd.wd"(%[[X]], %[[W]])
func.func @words(%a: vector<4xi32>, %x: vector<8xi8>, %w: vector<8xi8>) -> vector<4xi32> {
  %r = a2q.mac %a, %x unsigned, %w : vector<4xi32>, vector<8xi8>, vector<8xi8> -> vector<4xi32>
  return %r : vector<4xi32>
}

// CHECK-LABEL: @quads
// VNNI: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.256"(%arg0, %arg1, %arg2)
// AVX2: a2q.mac
func.func @quads(%a: vector<8xi32>, %x: vector<32xi8>, %w: vector<32xi8>) -> vector<8xi32> {
  %r = a2q.mac %a, %x unsigned, %w : vector<8xi32>, vector<32xi8>, vector<32xi8> -> vector<8xi32>
  return %r : vector<8xi32>
}

// A table of 16 bytes is in every 128 bits of a register.
// CHECK-LABEL: @look_up
// CHECK: %[[T:.*]] = vector.shuffle %arg0, %arg0 [0, 1, {{.*}} 14, 15, 0, 1, {{.*}} 14, 15] : vector<16xi8>, vector<16xi8>
// CHECK: llvm.call_intrinsic "llvm.x86.avx2.pshuf.b"(%[[T]], %arg1)
func.func @look_up(%t: vector<16xi8>, %i: vector<32xi8>) -> vector<32xi8> {
  %r = a2q.look_up %t at %i : vector<16xi8>, vector<32xi8>
  return %r : vector<32xi8>
}

// CHECK-LABEL: @look_up_narrow
// CHECK: llvm.call_intrinsic "llvm.x86.ssse3.pshuf.b.128"(%arg0, %arg1)
func.func @look_up_narrow(%t: vector<16xi8>, %i: vector<16xi8>) -> vector<16xi8> {
  %r = a2q.look_up %t at %i : vector<16xi8>, vector<16xi8>
  return %r : vector<16xi8>
}

// CHECK-LABEL: @look_up_wide
// VNNI: llvm.call_intrinsic "llvm.x86.avx512.pshuf.b.512"
// AVX2: a2q.look_up
func.func @look_up_wide(%t: vector<16xi8>, %i: vector<64xi8>) -> vector<64xi8> {
  %r = a2q.look_up %t at %i : vector<16xi8>, vector<64xi8>
  return %r : vector<64xi8>
}

// Tables of 64 bytes are vpermb's alone.
// CHECK-LABEL: @look_up_large
// VBMI: llvm.call_intrinsic "llvm.x86.avx512.permvar.qi.512"(%arg0, %arg1)
// VNNI: a2q.look_up
func.func @look_up_large(%t: vector<64xi8>, %i: vector<64xi8>) -> vector<64xi8> {
  %r = a2q.look_up %t at %i : vector<64xi8>, vector<64xi8>
  return %r : vector<64xi8>
}
