// A report as a page: one file that loads nothing, with the same JSON in it as a
// .json file, and names of layers and files that try to leave their places.

// RUN: rm -rf %t && mkdir %t
// RUN: cp %s '%t/x"><img src=x onerror=alert(1)>&amp;.mlir'
// RUN: a2q-check %t/*.mlir --report=%t/sums.html
// RUN: a2q-check %t/*.mlir --report=%t/sums.json
// RUN: %python %S/Inputs/page.py file %t/sums.html %t/sums.json
// RUN: FileCheck %s --input-file=%t/sums.html
// CHECK: data-model="{{.*}}/x&quot;&gt;&lt;img src=x onerror=alert(1)&gt;&amp;amp;.mlir"
// CHECK: "name": "\u003c/script>\u003cscript>alert(1)\u003c/script>\u003c!--",

// RUN: not a2q-check --saturation %t/*.mlir --report=%t/pairs.html
// RUN: not a2q-check --saturation %t/*.mlir --report=%t/pairs.json
// RUN: %python %S/Inputs/page.py file %t/pairs.html %t/pairs.json

// Staged and constrained, through a tool that knows no file's name.
// RUN: a2q-check %t/*.mlir --accumulator=16 --constrain=20 --report=%t/staged.html
// RUN: a2q-check %t/*.mlir --accumulator=16 --constrain=20 --report=%t/staged.json
// RUN: %python %S/Inputs/page.py file %t/staged.html %t/staged.json

!x = !quant.uniform<u8<0:255>:f32, 0.1>
!w = !quant.uniform<i8:f32, 0.5>
func.func @main(%x: tensor<1x3x!x>) -> tensor<1x3xi32> {
  %c = arith.constant dense<[[127, -128, 127], [127, 127, -3], [-128, -128, 5]]> : tensor<3x3xi8>
  %w = quant.scast %c : tensor<3x3xi8> to tensor<3x3x!w>
  %y = a2q.matmul %x, %w : tensor<1x3x!x>, tensor<3x3x!w> -> tensor<1x3x!a2q.acc<32>> loc("</script><script>alert(1)</script><!--")
  %d = a2q.decode %y : tensor<1x3x!a2q.acc<32>> to tensor<1x3xi32>
  return %d : tensor<1x3xi32>
}
