// RUN: a2q-opt %s -a2q-report-accumulators 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK
// RUN: a2q-opt %s -a2q-report-accumulators=file=%t.json | FileCheck %s --check-prefix=MODULE
// RUN: FileCheck %s --input-file=%t.json
// RUN: a2q-opt %s -a2q-report-accumulators=file=- -o /dev/null | diff %t.json -

// A page, with the same JSON in it.
// RUN: a2q-opt %s -a2q-report-accumulators=file=%t.html -o /dev/null
// RUN: FileCheck %s --check-prefix=HTML --input-file=%t.html
// HTML: <!DOCTYPE html>
// HTML: "name": "first",

// Bad names and places: one error, and no file.
// RUN: not a2q-opt %s -a2q-report-accumulators=file=%t.txt 2>&1 | FileCheck %s --check-prefix=ENDING
// RUN: rm -rf %t.dir && mkdir -p %t.dir/is.json
// RUN: not a2q-opt %s -a2q-report-accumulators=file=%t.dir/is.json 2>&1 | FileCheck %s --check-prefix=DIRECTORY
// RUN: not a2q-opt %s -a2q-report-accumulators=file=%t.dir/absent/r.json 2>&1 | FileCheck %s --check-prefix=ABSENT
// RUN: ls %t.dir | count 1
// RUN: not ls %t.txt

// ENDING: error: cannot write report '{{.*}}.txt': the name must end in .json or .html
// DIRECTORY: error: cannot write report '{{.*}}is.json': it is a directory
// ABSENT: error: cannot write report '{{.*}}r.json': {{[Nn]}}o such file or directory

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>

// REMARK: remark: {{.*}}first: 6 terms, datatype 11, a2q 10, a2q-plus 10, exact 10, centred 9 bits; accumulator !a2q.acc<8 x 3, 9>, 2 spills
// REMARK: note: {{.*}}said by a pass
// REMARK: remark: a2q.matmul#1: 2 terms, datatype 11, exact 10, centred 9 bits; accumulator !a2q.acc<32>, 0 spills
// MODULE-LABEL: func.func @main
// MODULE: a2q.matmul
func.func @main(%x: tensor<1x6x!x>, %v: tensor<1x2x!x>, %u: tensor<1x3x2x!x>) -> (tensor<1x2xi32>, tensor<1x3xi32>) {
  %c = arith.constant dense<[[7, 1, -4, 6, 5, 0], [-2, 3, 1, -7, -4, 6]]> : tensor<2x6xi8>
  %w = quant.scast %c : tensor<2x6xi8> to tensor<2x6x!w>
  // CHECK: "version": 1,
  // CHECK-NEXT: "target": null,
  // CHECK-NEXT: "layers": [
  // CHECK-NEXT: {
  // CHECK-NEXT: "name": "first",
  // CHECK-NEXT: "op": "a2q.matmul",
  // CHECK-NEXT: "reduction_length": 6,
  // CHECK-NEXT: "channels": 2,
  // CHECK-NEXT: "activation": {
  // CHECK-NEXT: "bits": 4,
  // CHECK-NEXT: "signed": false,
  // CHECK-NEXT: "lo": 0,
  // CHECK-NEXT: "hi": 15
  // CHECK: "weights": {
  // CHECK-NEXT: "bits": 4,
  // CHECK-NEXT: "sparsity": 0.083
  // CHECK: "width": {
  // CHECK-NEXT: "datatype": 11,
  // CHECK-NEXT: "a2q": 10,
  // CHECK-NEXT: "a2q-plus": 10,
  // CHECK-NEXT: "exact": 10,
  // CHECK-NEXT: "centred": 9,
  // CHECK-NEXT: "zero-point":
  // CHECK: "proof": "box",
  // CHECK-NEXT: "box_width": {
  // CHECK-NEXT: "exact": 10,
  // CHECK-NEXT: "centred": 9
  // CHECK-NEXT: },
  // CHECK-NEXT: "accumulator": "!a2q.acc<8 x 3, 9>",
  // CHECK-NEXT: "stages": [
  // CHECK-NEXT: {
  // CHECK-NEXT: "width": 8,
  // CHECK-NEXT: "terms": 3,
  // CHECK-NEXT: "tiles": 2
  // CHECK-NEXT: },
  // CHECK-NEXT: {
  // CHECK-NEXT: "width": 9,
  // CHECK-NEXT: "terms": 6,
  // CHECK-NEXT: "tiles": 1
  // CHECK: "spills": 2,
  // CHECK-NEXT: "costs": [],
  // CHECK-NEXT: "constraint": null,
  // CHECK-NEXT: "per_channel": [
  // CHECK-NEXT: {
  // CHECK-NEXT: "l1": 23,
  // CHECK-NEXT: "pos": 19,
  // CHECK-NEXT: "neg": 4,
  // CHECK-NEXT: "final": [
  // CHECK-NEXT: -60,
  // CHECK-NEXT: 285
  // CHECK: "notes": [
  // CHECK-NEXT: "said by a pass"
  %s = a2q.matmul %x, %w schedule <ends = [[3, 6], [6]]> {a2q.notes = {stage = "said by a pass"}}
      : tensor<1x6x!x>, tensor<2x6x!w> -> tensor<1x2x!a2q.acc<8 x 3, 9>> loc("first")
  %d = a2q.decode %s : tensor<1x2x!a2q.acc<8 x 3, 9>> to tensor<1x2xi32>

  // Two activations: no weights to speak of.
  // CHECK: "name": "a2q.matmul#1",
  // CHECK: "sparsity": null
  // CHECK: "a2q": null,
  // CHECK-NEXT: "a2q-plus": null,
  %e = tensor.expand_shape %v [[0, 1], [2]] output_shape [1, 1, 2] : tensor<1x2x!x> into tensor<1x1x2x!x>
  %t = a2q.matmul %e, %u : tensor<1x1x2x!x>, tensor<1x3x2x!x> -> tensor<1x1x3x!a2q.acc<32>>
  %f = a2q.decode %t : tensor<1x1x3x!a2q.acc<32>> to tensor<1x1x3xi32>
  %g = tensor.collapse_shape %f [[0, 1], [2]] : tensor<1x1x3xi32> into tensor<1x3xi32>
  return %d, %g : tensor<1x2xi32>, tensor<1x3xi32>
}
