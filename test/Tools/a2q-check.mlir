// RUN: a2q-check %s | FileCheck %s --match-full-lines --strict-whitespace
// RUN: a2q-check %s --bound=centred --report=%t.json | FileCheck %s --check-prefix=CENTRED
// RUN: FileCheck %s --check-prefix=JSON --input-file=%t.json

//      CHECK:layer                     K type  a2q a2q+ exact cent accumulator          spill
// CHECK-NEXT:a2q.matmul#0              3   10   10    9     9    8 9                        0
// CENTRED: a2q.matmul#0 {{.*}} 8 {{ *}}0
// JSON: "accumulator": "!a2q.acc<8>"

// A claim that does not hold: layer, channel, needed, has, and what helps.
// RUN: sed 's/acc<32>/acc<8>/' %s > %t.narrow.mlir
// RUN: not a2q-check %t.narrow.mlir --report=%t.absent.json 2>&1 | FileCheck %s --check-prefix=NARROW
// RUN: not ls %t.absent.json
// NARROW: narrow.mlir:{{.*}}: error: channel 0 needs 9 bits, the accumulator has 8
// NARROW: note: its l1 norm is 17

// RUN: not a2q-check %s --report=%t.html 2>&1 | FileCheck %s --check-prefix=HTML
// HTML: error: cannot write report '{{.*}}': there is no HTML report, the name must end in .json
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
