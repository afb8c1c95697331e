!x = !quant.uniform<u4:f32, 0.25>
!y = !quant.uniform<i8:f32, 1.0>
!s = !quant.uniform<u8:f32, 0.25:8>
func.func @main(%x: tensor<2x3xf32> {a2q.name = "x"}, %y: tensor<2x3x!y>)
    -> (tensor<2x3x!s>, tensor<3x2xf32> {a2q.name = "back"}) {
  %q = a2q.quantize %x : tensor<2x3xf32> to tensor<2x3x!x>
  %d = a2q.dequantize %q : tensor<2x3x!x> to tensor<2x3xf32>
  %e = a2q.dequantize %y : tensor<2x3x!y> to tensor<2x3xf32>
  %sum = arith.addf %d, %e : tensor<2x3xf32>
  %s = a2q.quantize %sum : tensor<2x3xf32> to tensor<2x3x!s>
  %empty = tensor.empty() : tensor<3x2x!x>
  %t = linalg.transpose ins(%q : tensor<2x3x!x>) outs(%empty : tensor<3x2x!x>) permutation = [1, 0]
  %back = a2q.dequantize %t : tensor<3x2x!x> to tensor<3x2xf32>
  return %s, %back : tensor<2x3x!s>, tensor<3x2xf32>
}
