// A browser draws the pages, in light and in dark, without complaint.

// REQUIRES: chromium
// RUN: rm -rf %t && mkdir %t
// RUN: cp %s '%t/x"><img src=x onerror=alert(1)>&amp;.mlir'
// RUN: a2q-check %t/*.mlir --accumulator=16 --report=%t/sums.html
// RUN: %python %S/Inputs/page.py show %t/sums.html 'x"><img src=x onerror=alert(1)>&amp;.mlir' \
// RUN:   '</script><script>alert(1)</script><!--' 'Bits that each bound asks for' 'Where it spills' \
// RUN:   'The sums of this layer are exact' '4611686014132420609' \
// RUN:   'Estimated cost for each kind of processor' '1 layer has no estimate'

// RUN: not a2q-check --saturation %s --report=%t/pairs.html
// RUN: %python %S/Inputs/page.py show %t/pairs.html html-report-shown.mlir \
// RUN:   '✕ Unsafe' '127 × [0, 255] + 127 × [0, 255] spans [0, 64770]' '--witness=witnesses'

!x = !quant.uniform<u8<0:255>:f32, 0.1>
!w = !quant.uniform<i8:f32, 0.5>
func.func @main(%x: tensor<1x3x!x>) -> tensor<1x3xi32> {
  %c = arith.constant dense<[[127, -128, 127], [127, 127, -3], [-128, -128, 5]]> : tensor<3x3xi8>
  %w = quant.scast %c : tensor<3x3xi8> to tensor<3x3x!w>
  %y = a2q.matmul %x, %w {a2q.notes = {test = "The sums of this layer are exact"}} : tensor<1x3x!x>, tensor<3x3x!w> -> tensor<1x3x!a2q.acc<32>> loc("</script><script>alert(1)</script><!--")
  %d = a2q.decode %y : tensor<1x3x!a2q.acc<32>> to tensor<1x3xi32>
  return %d : tensor<1x3xi32>
}
// Integers that a double does not hold.
func.func @wide(%a: tensor<1x1xi32>) -> tensor<1x1xi64> {
  %b = arith.constant dense<2147483647> : tensor<1x1xi32>
  %zero = arith.constant dense<0> : tensor<1x1xi64>
  %y = linalg.matmul ins(%a, %b : tensor<1x1xi32>, tensor<1x1xi32>) outs(%zero : tensor<1x1xi64>) -> tensor<1x1xi64>
  return %y : tensor<1x1xi64>
}
