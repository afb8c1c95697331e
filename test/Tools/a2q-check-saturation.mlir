// Pairs of a matrix product that saturate, by channel: none, above, below; the
// exit status is 1.

// RUN: not a2q-check --saturation %s --report=%t.json --witness=%t.dir | FileCheck %s
// RUN: FileCheck %s --check-prefix=JSON --input-file=%t.json
// RUN: %python -c 'import numpy, sys; x = numpy.load(sys.argv[1]); print(x.tolist(), x.dtype)' %t.dir/0-a2q.matmul_0.npy | FileCheck %s --check-prefix=WITNESS

// CHECK:      layer                          K    channels    pairs  worst error  answer
// CHECK-NEXT: a2q.matmul#0                   3         2/3    33.3%        32512  unsafe
// CHECK-NEXT: a2q.matmul#0: rows pairs: channel 1, terms 0 and 1: 127 * [0, 255] + 127 * [0, 255] reaches 64770
// CHECK-NEXT: a2q.matmul#0: witness for channel 2 by rows, -32512 lost: {{.*}}0-a2q.matmul_0.npy
// CHECK-NEXT: avx2: 0 safe, 1 unsafe, 0 unknown; ranges proven
// CHECK-NOT: {{.}}

// The third term adds nothing to a pair, and goes to the same end.
// WITNESS: {{\[\[}}255, 255, 0]] uint8

// JSON:      "version": 1,
// JSON-NEXT: "isa": "avx2",
// JSON-NEXT: "ranges": "proven",
// JSON-NEXT: "runs": null,
// JSON-NEXT: "answer": "unsafe",
// JSON:      "any_pairing": {
// JSON-NEXT:   "safe": false,
// JSON-NEXT:   "sum": [
// JSON-NEXT:     -65280,
// JSON-NEXT:     64770
// JSON:      "pairing": "rows",
// JSON-NEXT: "safe": false,
// JSON-NEXT: "pairs": 6,
// JSON-NEXT: "saturating_pairs": 2,
// JSON-NEXT: "saturating_channels": 2,
// JSON-NEXT: "loss": [
// JSON-NEXT:   -32512,
// JSON-NEXT:   0
// JSON-NEXT: ],
// JSON-NEXT: "worst_channel": 2,

// Other instruction sets: the same pairs, or none at all.
// RUN: not a2q-check --saturation %s --isa=avx512 | FileCheck %s --check-prefix=AVX512
// AVX512: avx512: 0 safe, 1 unsafe, 0 unknown
// RUN: a2q-check --saturation %s --isa=avx512vnni | FileCheck %s --check-prefix=VNNI
// VNNI: a2q.matmul#0 3 - - - safe
// VNNI-NEXT: avx512vnni: 1 safe, 0 unsafe, 0 unknown

// Codes that are proven to be small.
// RUN: sed 's/u8<0:255>/u8<0:128>/' %s | a2q-check --saturation - | FileCheck %s --check-prefix=SMALL
// SMALL: avx2: 1 safe, 0 unsafe, 0 unknown

// Signed codes are shifted by 128, which makes [0, 127] as large as can be.
// RUN: sed 's/u8<0:255>/i8<0:127>/' %s | not a2q-check --saturation - | FileCheck %s --check-prefix=SIGNED
// SIGNED: 127 * [128, 255] + 127 * [128, 255] reaches 64770

// Weights as the file had them.
// RUN: sed 's/%y = a2q.matmul %x, %w/& {a2q.origin = {unsigned_weights}}/' %s | a2q-check --saturation - | FileCheck %s --check-prefix=UNSIGNED
// UNSIGNED: avx2: 1 safe, 0 unsafe, 0 unknown
// RUN: sed 's/%y = a2q.matmul %x, %w/& {a2q.origin = {weight_zero_points = array<i64: 1, 0, 0>}}/' %s | not a2q-check --saturation - | FileCheck %s --check-prefix=ZERO
// ZERO: a2q.matmul#0: unknown: its weight 128 is no s8

// What cannot be told: exit status 2.
// RUN: sed 's/!quant.uniform<u8<0:255>:f32, 0.1>/!quant.uniform<u16:f32, 0.1>/' %s > %t.wide.mlir
// RUN: a2q-check --saturation %t.wide.mlir > %t.out; test $? -eq 2
// RUN: FileCheck %s --check-prefix=WIDE --input-file=%t.out
// WIDE: a2q.matmul#0: unknown: its activations have 16 bits, and byte products take 8
// WIDE-NEXT: avx2: 0 safe, 0 unsafe, 1 unknown

// Nothing to tell.
// RUN: a2q-check --saturation %S/no-layers.mlir | FileCheck %s --check-prefix=NONE
// NONE: no quantized layers

// RUN: not a2q-check --saturation %s --isa=neon 2>&1 | FileCheck %s --check-prefix=ISA
// ISA: error: unknown instruction set 'neon', expected ssse3, avx2, avx512, avxvnni, avx512vnni or amx
// RUN: not a2q-check --saturation %s --bound=exact 2>&1 | FileCheck %s --check-prefix=BOUND
// BOUND: error: --bound has no meaning with --saturation
// RUN: not a2q-check --saturation %s --accumulator=16 2>&1 | FileCheck %s --check-prefix=OTHER
// RUN: not a2q-check --saturation %s --target-cpu=haswell 2>&1 | FileCheck %s --check-prefix=OTHER
// OTHER: error: --saturation is about other runtimes
// RUN: not a2q-check %s --witness=%t.dir 2>&1 | FileCheck %s --check-prefix=WITHOUT
// RUN: not a2q-check %s --calibration=%t.npy 2>&1 | FileCheck %s --check-prefix=WITHOUT
// WITHOUT: error: --witness, --calibration, --by-type, --fix and -o are for --saturation
// RUN: not a2q-check --saturation --by-type %s 2>&1 | FileCheck %s --check-prefix=TYPE
// TYPE: error: --by-type is for .onnx files
// RUN: not a2q-check --saturation %s --report=%t.txt 2>&1 | FileCheck %s --check-prefix=ENDING
// ENDING: error: cannot write report {{.*}}.txt': the name must end in .json or .html
// RUN: not a2q-check --saturation %s --witness=%s 2>&1 | FileCheck %s --check-prefix=FOLDER
// FOLDER: error: {{.*}}a2q-check-saturation.mlir
// RUN: not a2q-check --saturation %s --calibration=%t.none.npy 2>&1 | FileCheck %s --check-prefix=DATA
// DATA: error: {{.*}}none.npy
// RUN: not a2q-check --saturation %t.none.mlir 2>&1 | FileCheck %s --check-prefix=MISSING
// MISSING: error: {{.*}}No such file or directory

!x = !quant.uniform<u8<0:255>:f32, 0.1>
!w = !quant.uniform<i8:f32, 0.5>
func.func @main(%x: tensor<1x3x!x>) -> tensor<1x3xi32> {
  %c = arith.constant dense<[[127, -128, 127], [127, 127, -3], [-128, -128, 5]]> : tensor<3x3xi8>
  %w = quant.scast %c : tensor<3x3xi8> to tensor<3x3x!w>
  %y = a2q.matmul %x, %w : tensor<1x3x!x>, tensor<3x3x!w> -> tensor<1x3x!a2q.acc<32>>
  %d = a2q.decode %y : tensor<1x3x!a2q.acc<32>> to tensor<1x3xi32>
  return %d : tensor<1x3xi32>
}
