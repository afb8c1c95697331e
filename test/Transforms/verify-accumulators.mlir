// RUN: a2q-opt %s --a2q-verify-accumulators --split-input-file --verify-diagnostics

// Each function comes at the width that its sums need, and once more, refused,
// with a bit less.

!x = !quant.uniform<u8:f32, 0.1>
!w = !quant.uniform<i8:f32, 0.5>

// Codes of 128 and more are not negative, though they travel in an i8: two of
// them reach 510.
func.func @unsigned(%i: tensor<1x2xi8>) -> tensor<1x1xi32> {
  %x = quant.scast %i : tensor<1x2xi8> to tensor<1x2x!x>
  %c = arith.constant dense<1> : tensor<1x2xi8>
  %w = quant.scast %c : tensor<1x2xi8> to tensor<1x2x!w>
  %y = a2q.matmul %x, %w : tensor<1x2x!x>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<10>>
  %d = a2q.decode %y : tensor<1x1x!a2q.acc<10>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

func.func @unsigned_less(%i: tensor<1x2xi8>) -> tensor<1x1xi32> {
  %x = quant.scast %i : tensor<1x2xi8> to tensor<1x2x!x>
  %c = arith.constant dense<1> : tensor<1x2xi8>
  %w = quant.scast %c : tensor<1x2xi8> to tensor<1x2x!w>
  // expected-error@below {{channel 0 needs 10 bits, the accumulator has 9}}
  // expected-note@below {{its l1 norm is 2 with activations in [0, 255], the exact budget of 9 bits is 1, the centred one 2; it fits from the starts}}
  %y = a2q.matmul %x, %w : tensor<1x2x!x>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<9>>
  %d = a2q.decode %y : tensor<1x1x!a2q.acc<9>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

// -----

!x = !quant.uniform<i8:f32, 0.1:-128>
!w = !quant.uniform<i8:f32, 0.5>

// The product of -1 and code -128 is 128.
func.func @signed(%x: tensor<1x1x!x>) -> tensor<1x1xi32> {
  %c = arith.constant dense<-1> : tensor<1x1xi8>
  %w = quant.scast %c : tensor<1x1xi8> to tensor<1x1x!w>
  %y = a2q.matmul %x, %w : tensor<1x1x!x>, tensor<1x1x!w> -> tensor<1x1x!a2q.acc<9>>
  %d = a2q.decode %y : tensor<1x1x!a2q.acc<9>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

func.func @signed_less(%x: tensor<1x1x!x>) -> tensor<1x1xi32> {
  %c = arith.constant dense<-1> : tensor<1x1xi8>
  %w = quant.scast %c : tensor<1x1xi8> to tensor<1x1x!w>
  // expected-error@below {{channel 0 needs 9 bits, the accumulator has 8}}
  // expected-note@below {{its l1 norm is 1 with activations in [-128, 127]}}
  %y = a2q.matmul %x, %w : tensor<1x1x!x>, tensor<1x1x!w> -> tensor<1x1x!a2q.acc<8>>
  %d = a2q.decode %y : tensor<1x1x!a2q.acc<8>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

// -----

!x = !quant.uniform<u8:f32, 0.1:200>
!w = !quant.uniform<i8:f32, 0.5>

// Positions outside the image hold the zero point, 200, whatever the range of
// the codes inside it.
func.func @padding(%x: tensor<1x2x2x1x!x> {a2q.range = [0, 3]}) -> tensor<1x4x4x1xi32> {
  %c = arith.constant dense<1> : tensor<1x1x1x1xi8>
  %w = quant.scast %c : tensor<1x1x1x1xi8> to tensor<1x1x1x1x!w>
  %y = a2q.conv_2d %x, %w padding [1, 1, 1, 1]
      : tensor<1x2x2x1x!x>, tensor<1x1x1x1x!w> -> tensor<1x4x4x1x!a2q.acc<9>>
  %d = a2q.decode %y : tensor<1x4x4x1x!a2q.acc<9>> to tensor<1x4x4x1xi32>
  return %d : tensor<1x4x4x1xi32>
}

func.func @padding_less(%x: tensor<1x2x2x1x!x> {a2q.range = [0, 3]}) -> tensor<1x4x4x1xi32> {
  %c = arith.constant dense<1> : tensor<1x1x1x1xi8>
  %w = quant.scast %c : tensor<1x1x1x1xi8> to tensor<1x1x1x1x!w>
  // expected-error@below {{channel 0 needs 9 bits, the accumulator has 8}}
  // expected-note@below {{its l1 norm is 1 with activations in [0, 200]}}
  %y = a2q.conv_2d %x, %w padding [1, 1, 1, 1]
      : tensor<1x2x2x1x!x>, tensor<1x1x1x1x!w> -> tensor<1x4x4x1x!a2q.acc<8>>
  %d = a2q.decode %y : tensor<1x4x4x1x!a2q.acc<8>> to tensor<1x4x4x1xi32>
  return %d : tensor<1x4x4x1xi32>
}

// Without padding the trusted range is all there is.
func.func @no_padding(%x: tensor<1x2x2x1x!x> {a2q.range = [0, 3]}) -> tensor<1x2x2x1xi32> {
  %c = arith.constant dense<1> : tensor<1x1x1x1xi8>
  %w = quant.scast %c : tensor<1x1x1x1xi8> to tensor<1x1x1x1x!w>
  %y = a2q.conv_2d %x, %w
      : tensor<1x2x2x1x!x>, tensor<1x1x1x1x!w> -> tensor<1x2x2x1x!a2q.acc<3>>
  %d = a2q.decode %y : tensor<1x2x2x1x!a2q.acc<3>> to tensor<1x2x2x1xi32>
  return %d : tensor<1x2x2x1xi32>
}

// -----

!x = !quant.uniform<u8:f32, 0.1>
!w = !quant.uniform<i8:f32, 0.5>

// 8 bits hold [0, 255] from -128 and from nowhere else.
func.func @start(%x: tensor<1x1x!x>) -> tensor<1x1xi32> {
  %c = arith.constant dense<1> : tensor<1x1xi8>
  %w = quant.scast %c : tensor<1x1xi8> to tensor<1x1x!w>
  %y = a2q.matmul %x, %w schedule <ends = [[1]], starts = [dense<-128> : tensor<1x1x1xi64>]>
      : tensor<1x1x!x>, tensor<1x1x!w> -> tensor<1x1x!a2q.acc<8>>
  %d = a2q.decode %y : tensor<1x1x!a2q.acc<8>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

func.func @wrong_start(%x: tensor<1x1x!x>) -> tensor<1x1xi32> {
  %c = arith.constant dense<1> : tensor<1x1xi8>
  %w = quant.scast %c : tensor<1x1xi8> to tensor<1x1x!w>
  // expected-error@below {{channel 0 needs 9 bits, the accumulator has 8}}
  // expected-note@below {{it fits from the starts}}
  %y = a2q.matmul %x, %w schedule <ends = [[1]], starts = [dense<-127> : tensor<1x1x1xi64>]>
      : tensor<1x1x!x>, tensor<1x1x!w> -> tensor<1x1x!a2q.acc<8>>
  %d = a2q.decode %y : tensor<1x1x!a2q.acc<8>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

// -----

!x = !quant.uniform<u8<200:255>:f32, 0.1:200>
!w = !quant.uniform<i8:f32, 0.5>

// The difference of two codes in [200, 255] is at most 55, but one of them comes
// first: partial sums reach 255.
func.func @partial_sums(%x: tensor<1x2x!x>) -> tensor<1x1xi32> {
  %c = arith.constant dense<[[1, -1]]> : tensor<1x2xi8>
  %w = quant.scast %c : tensor<1x2xi8> to tensor<1x2x!w>
  %y = a2q.matmul %x, %w : tensor<1x2x!x>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<9>>
  %d = a2q.decode %y : tensor<1x1x!a2q.acc<9>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

func.func @partial_sums_less(%x: tensor<1x2x!x>) -> tensor<1x1xi32> {
  %c = arith.constant dense<[[1, -1]]> : tensor<1x2xi8>
  %w = quant.scast %c : tensor<1x2xi8> to tensor<1x2x!w>
  // expected-error@below {{channel 0 needs 9 bits, the accumulator has 8}}
  // expected-note@below {{a2q-constrain-weights can project it, a2q-stage-accumulators split it}}
  %y = a2q.matmul %x, %w : tensor<1x2x!x>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<8>>
  %d = a2q.decode %y : tensor<1x1x!a2q.acc<8>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

// With wrapping adds only the difference counts.
func.func @wrap(%x: tensor<1x2x!x>) -> tensor<1x1xi32> {
  %c = arith.constant dense<[[1, -1]]> : tensor<1x2xi8>
  %w = quant.scast %c : tensor<1x2xi8> to tensor<1x2x!w>
  %y = a2q.matmul %x, %w : tensor<1x2x!x>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<7, wrap>>
  %d = a2q.decode %y : tensor<1x1x!a2q.acc<7, wrap>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

func.func @wrap_less(%x: tensor<1x2x!x>) -> tensor<1x1xi32> {
  %c = arith.constant dense<[[1, -1]]> : tensor<1x2xi8>
  %w = quant.scast %c : tensor<1x2xi8> to tensor<1x2x!w>
  // expected-error@below {{channel 0 needs 7 bits, the accumulator has 6}}
  // expected-note@below {{its l1 norm is 2}}
  %y = a2q.matmul %x, %w : tensor<1x2x!x>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<6, wrap>>
  %d = a2q.decode %y : tensor<1x1x!a2q.acc<6, wrap>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

// -----

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8:f32, 0.5>

// The initial value is in the register too: 15 fits 5 bits, 15 + 1 does not.
func.func @initial(%x: tensor<1x1x!x>) -> tensor<1x2xi32> {
  %b = arith.constant dense<[0, 1]> : tensor<2xi32>
  %c = arith.constant dense<1> : tensor<2x1xi8>
  %w = quant.scast %c : tensor<2x1xi8> to tensor<2x1x!w>
  %y = a2q.matmul %x, %w initial %b : tensor<2xi32>
      : tensor<1x1x!x>, tensor<2x1x!w> -> tensor<1x2x!a2q.acc<6>>
  %d = a2q.decode %y : tensor<1x2x!a2q.acc<6>> to tensor<1x2xi32>
  return %d : tensor<1x2xi32>
}

func.func @initial_less(%x: tensor<1x1x!x>) -> tensor<1x2xi32> {
  %b = arith.constant dense<[0, 1]> : tensor<2xi32>
  %c = arith.constant dense<1> : tensor<2x1xi8>
  %w = quant.scast %c : tensor<2x1xi8> to tensor<2x1x!w>
  // expected-error@below {{channel 1 needs 6 bits, the accumulator has 5}}
  // expected-note@below {{without its initial value it would fit}}
  %y = a2q.matmul %x, %w initial %b : tensor<2xi32>
      : tensor<1x1x!x>, tensor<2x1x!w> -> tensor<1x2x!a2q.acc<5>>
  %d = a2q.decode %y : tensor<1x2x!a2q.acc<5>> to tensor<1x2xi32>
  return %d : tensor<1x2xi32>
}

func.func @unknown_initial(%x: tensor<1x1x!x>, %b: tensor<2xi32>) -> tensor<1x2xi64> {
  %c = arith.constant dense<1> : tensor<2x1xi8>
  %w = quant.scast %c : tensor<2x1xi8> to tensor<2x1x!w>
  // expected-error@below {{the accumulator cannot be proven: nothing is known of its initial value}}
  %y = a2q.matmul %x, %w initial %b : tensor<2xi32>
      : tensor<1x1x!x>, tensor<2x1x!w> -> tensor<1x2x!a2q.acc<40>>
  %d = a2q.decode %y : tensor<1x2x!a2q.acc<40>> to tensor<1x2xi64>
  return %d : tensor<1x2xi64>
}

func.func @trusted_initial(%x: tensor<1x1x!x>, %b: tensor<2xi32> {a2q.range = [-1, 0]}) -> tensor<1x2xi64> {
  %c = arith.constant dense<1> : tensor<2x1xi8>
  %w = quant.scast %c : tensor<2x1xi8> to tensor<2x1x!w>
  %y = a2q.matmul %x, %w initial %b : tensor<2xi32>
      : tensor<1x1x!x>, tensor<2x1x!w> -> tensor<1x2x!a2q.acc<5>>
  %d = a2q.decode %y : tensor<1x2x!a2q.acc<5>> to tensor<1x2xi64>
  return %d : tensor<1x2xi64>
}

// -----

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8:f32, 0.5>

// Two tiles of two terms of up to 30 each: 6 bits inside, 7 outside.
func.func @stages(%x: tensor<1x4x!x>) -> tensor<1x1xi32> {
  %c = arith.constant dense<1> : tensor<1x4xi8>
  %w = quant.scast %c : tensor<1x4xi8> to tensor<1x4x!w>
  %y = a2q.matmul %x, %w schedule <ends = [[2, 4], [4]]>
      : tensor<1x4x!x>, tensor<1x4x!w> -> tensor<1x1x!a2q.acc<6 x 2, 7>>
  %d = a2q.decode %y : tensor<1x1x!a2q.acc<6 x 2, 7>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

func.func @stages_inner_less(%x: tensor<1x4x!x>) -> tensor<1x1xi32> {
  %c = arith.constant dense<[[1, 0, 1, 1]]> : tensor<1x4xi8>
  %w = quant.scast %c : tensor<1x4xi8> to tensor<1x4x!w>
  // expected-error@below {{channel 0 needs 6 bits in tile 1, lane 0, the accumulator of stage 0 has 5}}
  // expected-note@below {{its l1 norm is 3}}
  %y = a2q.matmul %x, %w schedule <ends = [[2, 4], [4]]>
      : tensor<1x4x!x>, tensor<1x4x!w> -> tensor<1x1x!a2q.acc<5 x 2, 7>>
  %d = a2q.decode %y : tensor<1x1x!a2q.acc<5 x 2, 7>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

func.func @stages_outer_less(%x: tensor<1x4x!x>) -> tensor<1x1xi32> {
  %c = arith.constant dense<1> : tensor<1x4xi8>
  %w = quant.scast %c : tensor<1x4xi8> to tensor<1x4x!w>
  // expected-error@below {{channel 0 needs 7 bits in tile 0, lane 0, the accumulator of stage 1 has 6}}
  // expected-note@below {{its l1 norm is 4}}
  %y = a2q.matmul %x, %w schedule <ends = [[2, 4], [4]]>
      : tensor<1x4x!x>, tensor<1x4x!w> -> tensor<1x1x!a2q.acc<6 x 2, 6>>
  %d = a2q.decode %y : tensor<1x1x!a2q.acc<6 x 2, 6>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

// -----

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!z = !quant.uniform<i8<-8:7>:f32, 0.1>

// Activations times activations: a product is in [-120, 105], two reach -240.
func.func @products(%x: tensor<2x1x2x!x>, %z: tensor<2x3x2x!z>) -> tensor<2x1x3xi32> {
  %y = a2q.matmul %x, %z : tensor<2x1x2x!x>, tensor<2x3x2x!z> -> tensor<2x1x3x!a2q.acc<9>>
  %d = a2q.decode %y : tensor<2x1x3x!a2q.acc<9>> to tensor<2x1x3xi32>
  return %d : tensor<2x1x3xi32>
}

func.func @products_less(%x: tensor<2x1x2x!x>, %z: tensor<2x3x2x!z>) -> tensor<2x1x3xi32> {
  // expected-error@below {{a sum of products needs 9 bits, the accumulator has 8}}
  // expected-note@below {{it sums 2 products of activations in [0, 15]}}
  %y = a2q.matmul %x, %z : tensor<2x1x2x!x>, tensor<2x3x2x!z> -> tensor<2x1x3x!a2q.acc<8>>
  %d = a2q.decode %y : tensor<2x1x3x!a2q.acc<8>> to tensor<2x1x3xi32>
  return %d : tensor<2x1x3xi32>
}

// The starts of the third channel are as much a claim as those of the first.
func.func @products_start(%x: tensor<2x1x2x!x>, %z: tensor<2x3x2x!z>) -> tensor<2x1x3xi32> {
  // expected-error@below {{a sum of products needs 10 bits, the accumulator has 9}}
  // expected-note@below {{it sums 2 products}}
  %y = a2q.matmul %x, %z schedule <ends = [[2]], starts = [dense<[[[0]], [[0]], [[-17]]]> : tensor<3x1x1xi64>]>
      : tensor<2x1x2x!x>, tensor<2x3x2x!z> -> tensor<2x1x3x!a2q.acc<9>>
  %d = a2q.decode %y : tensor<2x1x3x!a2q.acc<9>> to tensor<2x1x3xi32>
  return %d : tensor<2x1x3xi32>
}

// -----

// Proofs stand on storage ranges, and a cast into one does not clamp.
!x = !quant.uniform<u8<0:15>:f32, 0.1>
!s = !quant.uniform<i8<-8:7>:f32, 0.1>

func.func @codes(%a: tensor<4xi8> {a2q.range = [0, 15]}, %b: tensor<4xi8> {a2q.range = [-8, 7]}, %c: tensor<4xi8>) -> (tensor<4x!x>, tensor<4x!s>, tensor<4x!x>) {
  %x = quant.scast %a : tensor<4xi8> to tensor<4x!x>
  %s = quant.scast %b : tensor<4xi8> to tensor<4x!s>
  %most = arith.constant dense<15> : tensor<4xi8>
  %clamped = arith.minui %c, %most : tensor<4xi8>
  %y = quant.scast %clamped : tensor<4xi8> to tensor<4x!x>
  return %x, %s, %y : tensor<4x!x>, tensor<4x!s>, tensor<4x!x>
}

func.func @codes_beyond(%a: tensor<4xi8> {a2q.range = [0, 16]}, %b: tensor<4xi8>) -> (tensor<4x!x>, tensor<4x!x>, tensor<4x!s>) {
  // expected-error@below {{integers in [0, 16] become codes of [0, 15]}}
  // expected-note@below {{clamp them, or let a2q.range on an argument say that they fit}}
  %x = quant.scast %a : tensor<4xi8> to tensor<4x!x>
  // expected-error@below {{integers in [0, 255] become codes of [0, 15]}}
  // expected-note@below {{clamp them}}
  %y = quant.scast %b : tensor<4xi8> to tensor<4x!x>
  // expected-error@below {{integers in [-128, 127] become codes of [-8, 7]}}
  // expected-note@below {{clamp them}}
  %s = quant.scast %b : tensor<4xi8> to tensor<4x!s>
  return %x, %y, %s : tensor<4x!x>, tensor<4x!x>, tensor<4x!s>
}
