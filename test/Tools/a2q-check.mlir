// RUN: a2q-check %s | FileCheck %s --match-full-lines --strict-whitespace
// RUN: a2q-check %s --bound=centred --report=%t.json | FileCheck %s --check-prefix=CENTRED
// RUN: FileCheck %s --check-prefix=JSON --input-file=%t.json

//      CHECK:layer                     K type  a2q a2q+ exact cent accumulator          spill
// CHECK-NEXT:a2q.matmul#0              3   10   10    9     9    8 9                        0
// CENTRED: a2q.matmul#0 {{.*}} 8 {{ *}}0
// JSON: "accumulator": "!a2q.acc<8>"

// What a2q-run would choose: a start makes 8 bits enough for all 3 products.
// RUN: a2q-check %s --accumulator=8 --report=%t.staged.json | FileCheck %s --check-prefix=STAGED
// RUN: FileCheck %s --check-prefix=STAGED-JSON --input-file=%t.staged.json
// STAGED: a2q.matmul#0 {{.*}} 8 {{ *}}0
// STAGED-JSON: "target": "{{.+}}"
// RUN: a2q-check %s --constrain=7 | FileCheck %s --check-prefix=CONSTRAIN
// CONSTRAIN: a2q.matmul#0 {{.*}} 7 {{ *}}0

// One diagnostic, without the op: it would print the weights.
// RUN: not a2q-check %s --constrain=2 2>&1 | FileCheck %s --check-prefix=LOSES --implicit-check-not="current operation"
// LOSES: a2q-check.mlir:{{.*}}: error: channel 0 would lose all its weights
// RUN: not a2q-check %s --constrain=8:best 2>&1 | FileCheck %s --check-prefix=METHOD --implicit-check-not="current operation"
// METHOD: error: unknown method 'best'
// RUN: not a2q-check %s --accumulator=8 --bound=exact 2>&1 | FileCheck %s --check-prefix=BOTH
// BOTH: error: --bound is for the narrowest accumulators; leave it out with --accumulator or --constrain
// RUN: not a2q-check %s --accumulator=given 2>&1 | FileCheck %s --check-prefix=PROGRAM
// RUN: not a2q-check %s --check-accumulators 2>&1 | FileCheck %s --check-prefix=PROGRAM
// PROGRAM: error: --check-accumulators and --accumulator=given are for programs; use a2q-run or a2q-compile
// RUN: not a2q-check %s --target-cpu=z80 2>&1 | FileCheck %s --check-prefix=CPU
// CPU: error: {{.*}}z80

// A claim that does not hold: layer, channel, needed, has, and what helps.
// RUN: sed 's/acc<32>/acc<8>/' %s > %t.narrow.mlir
// RUN: not a2q-check %t.narrow.mlir --report=%t.absent.json 2>&1 | FileCheck %s --check-prefix=NARROW
// RUN: not ls %t.absent.json
// NARROW: narrow.mlir:{{.*}}: error: channel 0 needs 9 bits, the accumulator has 8
// NARROW: note: its l1 norm is 17

// RUN: not a2q-check %s --report=%t.txt 2>&1 | FileCheck %s --check-prefix=ENDING
// ENDING: error: cannot write report '{{.*}}.txt': the name must end in .json or .html
// RUN: not a2q-check %s --bound=tight 2>&1 | FileCheck %s --check-prefix=BOUND
// BOUND: error: unknown bound 'tight', expected datatype, a2q, a2q-plus, exact or centred
// RUN: not a2q-check %t.none.mlir 2>&1 | FileCheck %s --check-prefix=MISSING
// MISSING: error: {{.*}}No such file or directory
// RUN: not a2q-check %S 2>&1 | FileCheck %s --check-prefix=DIRECTORY
// DIRECTORY: error: {{.*}}is a directory

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @main(%x: tensor<1x3x!x>) -> tensor<1x1xi32> {
  %c = arith.constant dense<[[7, 6, -4]]> : tensor<1x3xi8>
  %w = quant.scast %c : tensor<1x3xi8> to tensor<1x3x!w>
  %y = a2q.matmul %x, %w : tensor<1x3x!x>, tensor<1x3x!w> -> tensor<1x1x!a2q.acc<32>>
  %d = a2q.decode %y : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}
