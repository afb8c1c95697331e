// RUN: a2q-opt %s --convert-a2q-to-vector="isa=avx2 look-ups=always" --canonicalize --cse | FileCheck %s
// RUN: a2q-opt %s --convert-a2q-to-vector="isa=avx2 look-ups=always" --remarks-filter=a2q-kernels -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: a2q-opt %s --convert-a2q-to-vector="isa=avx2 look-ups=always" --a2q-verify-macs
// RUN: a2q-opt %s --convert-a2q-to-vector="isa=avx2 look-ups=never" --remarks-filter=a2q-kernels -o /dev/null 2>&1 | FileCheck %s --check-prefix=NEVER --implicit-check-not=look-ups
// RUN: a2q-opt %s --convert-a2q-to-vector="isa=avx2" --remarks-filter=a2q-kernels -o /dev/null 2>&1 | FileCheck %s --check-prefix=AUTO
// RUN: not a2q-opt %s --convert-a2q-to-vector=look-ups=sometimes 2>&1 | FileCheck %s --check-prefix=WORD

// WORD: error: look-ups is 'sometimes'; it takes auto, always, never, 16 or 64
// NEVER-COUNT-7: the kernel is pmadd

!x = !quant.uniform<u8<0:3>:f32, 0.1>
!four = !quant.uniform<u8<0:15>:f32, 0.1>
!six = !quant.uniform<u8<0:63>:f32, 0.1>
!s = !quant.uniform<i8<-2:1>:f32, 0.1>
!w = !quant.uniform<i8<-2:1>:f32, 0.5>

// Weights (-2, 1, 0, -1, 1, 1, 1, 1): digits -2 and 1 have bits 0b00001001 and
// 0b11111010, the first code in the lowest bit, neighbours in the packed
// weights. Sums of subsets of four codes, for two tables at once: each code is
// added where its bit is set. 8 bits hold them all, and the spill multiplies by
// the digits.
// CHECK-LABEL: @digits
// CHECK: dense<{{\[\[\[\[}}9, -6, 0, {{.*}}> : tensor<1x1x1x16xi8>
// CHECK: %[[CODES:.*]] = vector.transfer_read {{.*}} : tensor<8xi8>, vector<8xi8>
// CHECK: vector.shuffle %[[CODES]], %[[CODES]] [0, 1, 2, 3, 4, 5, 6, 7, 0,
// CHECK: vector.shuffle {{.*}} [32, 0, 32, 0, 32, 0, {{.*}}, 32, 20, 32, 20]
// CHECK: %[[W:.*]] = vector.transfer_read {{.*}} : tensor<1x1x1x16xi8>, vector<16xi8>
// CHECK-DAG: %[[LO:.*]] = arith.andi %[[W]]
// CHECK-DAG: %[[HI:.*]] = arith.shrui %[[W]]
// CHECK: a2q.look_up %{{.*}} at %[[LO]] : vector<16xi8>, vector<16xi8>
// CHECK: a2q.look_up %{{.*}} at %[[HI]] : vector<16xi8>, vector<16xi8>
// CHECK: a2q.mac %{{.*}}, %{{.*}} unsigned, %{{.*}} pair_exact range [0, 255] : vector<8xi16>, vector<16xi8>, vector<16xi8>
// REMARK: remark: loc("digits"): {{.*}}the kernel is look-ups on blocks of 1 positions and 8 channels, tables of 16 sums, 2-bit weights, {{.*}} us; pmaddubsw {{.*}} would take {{.*}} us
// AUTO: remark: loc("digits"): {{.*}}the kernel is pmaddubsw {{.*}}; not look-ups: {{.*}} us instead of {{.*}} us
func.func @digits(%x: tensor<1x8x!x>) -> tensor<1x1xi32> {
  %c = arith.constant dense<[[-2, 1, 0, -1, 1, 1, 1, 1]]> : tensor<1x8xi8>
  %w = quant.scast %c : tensor<1x8xi8> to tensor<1x8x!w>
  %a = a2q.matmul %x, %w : tensor<1x8x!x>, tensor<1x8x!w> -> tensor<1x1x!a2q.acc<16>> loc("digits")
  %d = a2q.decode %a : tensor<1x1x!a2q.acc<16>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

// 80 codes in [0, 3] span 240 of 255; 88 codes do not fit, so there are two
// tiles.
// CHECK-LABEL: @tiles
// REMARK: remark: loc("tiles"): {{.*}}the kernel is look-ups {{.*}}, 2 tiles in 11 steps
func.func @tiles(%x: tensor<8x88x!x>) -> tensor<8x16xi32> {
  %c = arith.constant dense<1> : tensor<16x88xi8>
  %w = quant.scast %c : tensor<16x88xi8> to tensor<16x88x!w>
  %a = a2q.matmul %x, %w : tensor<8x88x!x>, tensor<16x88x!w> -> tensor<8x16x!a2q.acc<16>> loc("tiles")
  %d = a2q.decode %a : tensor<8x16x!a2q.acc<16>> to tensor<8x16xi32>
  return %d : tensor<8x16xi32>
}

// The same codes, known to be smaller: one tile.
// REMARK: remark: loc("known"): {{.*}}the kernel is look-ups {{.*}}-bit weights, {{[0-9.]+}} us
func.func @known(%x: tensor<8x88x!x> {a2q.range = [0, 2]}) -> tensor<8x16xi32> {
  %c = arith.constant dense<1> : tensor<16x88xi8>
  %w = quant.scast %c : tensor<16x88xi8> to tensor<16x88x!w>
  %a = a2q.matmul %x, %w : tensor<8x88x!x>, tensor<16x88x!w> -> tensor<8x16x!a2q.acc<16>> loc("known")
  %d = a2q.decode %a : tensor<8x16x!a2q.acc<16>> to tensor<8x16xi32>
  return %d : tensor<8x16xi32>
}

// Where the first step of a channel fills more than 8 bits, there is no proof,
// and no look-ups, whoever asks for them.
// CHECK-LABEL: @unproven
// CHECK-NOT: a2q.look_up
// CHECK: return
// REMARK: remark: loc("unproven"): {{.*}}the kernel is pmaddubsw {{.*}}; not look-ups: 8 products of channel 3 do not fit 8 bits
func.func @unproven(%x: tensor<8x8x!six>) -> tensor<8x4xi32> {
  %c = arith.constant dense<[[1, 1, 0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 1, 1, 1, 0],
      [-2, -2, 1, 1, 1, 1, -2, -2], [1, 1, 1, 1, 1, 0, 0, 0]]> : tensor<4x8xi8>
  %w = quant.scast %c : tensor<4x8xi8> to tensor<4x8x!w>
  %a = a2q.matmul %x, %w : tensor<8x8x!six>, tensor<4x8x!w> -> tensor<8x4x!a2q.acc<16>> loc("unproven")
  %d = a2q.decode %a : tensor<8x4x!a2q.acc<16>> to tensor<8x4xi32>
  return %d : tensor<8x4xi32>
}

// Sums of subsets of signed codes are no unsigned bytes.
// REMARK: remark: loc("signed"): {{.*}}the kernel is pmaddwd {{.*}}; not look-ups: signed activations
func.func @signed(%x: tensor<8x8x!s>) -> tensor<8x1xi32> {
  %c = arith.constant dense<[[-2, 1, 0, -1, 1, 1, 1, 1]]> : tensor<1x8xi8>
  %w = quant.scast %c : tensor<1x8xi8> to tensor<1x8x!w>
  %a = a2q.matmul %x, %w : tensor<8x8x!s>, tensor<1x8x!w> -> tensor<8x1x!a2q.acc<16>> loc("signed")
  %d = a2q.decode %a : tensor<8x1x!a2q.acc<16>> to tensor<8x1xi32>
  return %d : tensor<8x1xi32>
}

// Five values have no two digits; nothing is said of a form that is far away.
// REMARK: remark: loc("five"):
// REMARK-NOT: look-ups
func.func @five(%x: tensor<8x8x!x>) -> tensor<8x1xi32> {
  %c = arith.constant dense<[[-2, 1, 0, -1, 2, 1, 1, 1]]> : tensor<1x8xi8>
  %w = quant.scast %c : tensor<1x8xi8> to tensor<1x8x!quant.uniform<i8<-2:2>:f32, 0.5>>
  %a = a2q.matmul %x, %w : tensor<8x8x!x>, tensor<1x8x!quant.uniform<i8<-2:2>:f32, 0.5>> -> tensor<8x1x!a2q.acc<16>> loc("five")
  %d = a2q.decode %a : tensor<8x1x!a2q.acc<16>> to tensor<8x1xi32>
  return %d : tensor<8x1xi32>
}

// With weights 1 and -1 alone one bit is enough. 64 codes reach -192, which a
// lane that starts at 64 holds. Rows and channels are enough for this form to be
// the fastest.
// CHECK-LABEL: @signs
// REMARK: remark: loc("signs"): {{.*}}the kernel is look-ups {{.*}}, tables of 16 sums, 1-bit weights
// AUTO: remark: loc("signs"): {{.*}}the kernel is look-ups {{.*}} us; pmaddubsw {{.*}} would take {{.*}} us
func.func @signs(%x: tensor<64x64x!x>) -> tensor<64x128xi32> {
  %c = arith.constant dense<-1> : tensor<128x64xi8>
  %w = quant.scast %c : tensor<128x64xi8> to tensor<128x64x!w>
  %a = a2q.matmul %x, %w : tensor<64x64x!x>, tensor<128x64x!w> -> tensor<64x128x!a2q.acc<16>> loc("signs")
  %d = a2q.decode %a : tensor<64x128x!a2q.acc<16>> to tensor<64x128xi32>
  return %d : tensor<64x128xi32>
}
