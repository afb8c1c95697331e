func.func @main(%x: tensor<2x3xi8> {a2q.name = "codes", a2q.range = [-1, 4]}) -> tensor<2x3xi8> {
  %y = arith.addi %x, %x : tensor<2x3xi8>
  return %y : tensor<2x3xi8>
}
