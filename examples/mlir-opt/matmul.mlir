// A layer in upstream IR: 8-bit codes times constant weights, 32-bit sums. The
// largest column has an l1 norm of 24; with codes of [-128, 127] every partial
// sum lies in [-3072, 3072].
func.func @layer(%x: tensor<4x8xi8>) -> tensor<4x2xi32> {
  %w = arith.constant dense<[[1, 3], [2, -3], [-1, 3], [0, -3],
                             [4, 3], [-2, -3], [1, 3], [5, -3]]> : tensor<8x2xi8>
  %zero = arith.constant 0 : i32
  %empty = tensor.empty() : tensor<4x2xi32>
  %init = linalg.fill ins(%zero : i32) outs(%empty : tensor<4x2xi32>) -> tensor<4x2xi32>
  %y = linalg.matmul ins(%x, %w : tensor<4x8xi8>, tensor<8x2xi8>)
                     outs(%init : tensor<4x2xi32>) -> tensor<4x2xi32>
  return %y : tensor<4x2xi32>
}
