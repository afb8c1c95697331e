!x = !quant.uniform<u8<0:15>:f32, 1.0>
!w = !quant.uniform<i8<-7:7>:f32, 1.0>
// Channel 1 reaches 4 * 7 * 15 = 420; its type promises 8 bits.
func.func @main(%x: tensor<1x4x!x> {a2q.name = "x"}) -> tensor<1x2xi32> {
  %c = arith.constant dense<[[1, 0, 0, 0], [7, 7, 7, 7]]> : tensor<2x4xi8>
  %w = quant.scast %c : tensor<2x4xi8> to tensor<2x4x!w>
  %y = a2q.matmul %x, %w : tensor<1x4x!x>, tensor<2x4x!w> -> tensor<1x2x!a2q.acc<8>> loc("fc")
  %d = a2q.decode %y : tensor<1x2x!a2q.acc<8>> to tensor<1x2xi32>
  return %d : tensor<1x2xi32>
}
