// RUN: a2q-opt %s --verify-diagnostics --split-input-file --allow-unregistered-dialect

// No stage.
// expected-error @+1 {{a schedule needs a stage, and each stage a tile}}
func.func private @schedule_c1() attributes {s = #a2q.schedule<ends = []>}

// -----

// A stage without a tile.
// expected-error @+1 {{a schedule needs a stage, and each stage a tile}}
func.func private @schedule_c1_empty_stage() attributes {s = #a2q.schedule<ends = [[], [4]]>}

// -----

// Nothing adds the two tiles up.
// expected-error @+1 {{the outermost stage has 2 tiles, it has exactly one}}
func.func private @schedule_c1_outermost() attributes {s = #a2q.schedule<ends = [[2, 4]]>}

// -----

// An empty tile.
// expected-error @+1 {{tile ends of stage 0 must increase, found 2 after 2}}
func.func private @schedule_c2() attributes {s = #a2q.schedule<ends = [[2, 2, 4], [4]]>}

// -----

// K = 0.
// expected-error @+1 {{tile ends of stage 0 must increase, found 0 after 0}}
func.func private @schedule_c2_zero() attributes {s = #a2q.schedule<ends = [[0]]>}

// -----

// A negative end.
// expected-error @+1 {{tile ends of stage 0 must increase}}
func.func private @schedule_c2_negative() attributes {s = #a2q.schedule<ends = [[-9223372036854775808]]>}

// -----

// The last product belongs to no inner tile.
// expected-error @+1 {{stage 0 ends at product 4, the outermost stage at 5}}
func.func private @schedule_c2_length() attributes {s = #a2q.schedule<ends = [[2, 4], [5]]>}

// -----

// A middle tile that ends before its inner tile has been handed over.
// expected-error @+1 {{stage 1 has a tile that ends at product 3, within a tile of the stage inside it}}
func.func private @schedule_c3() attributes {s = #a2q.schedule<ends = [[2, 4, 6], [3, 6], [6]]>}

// -----

// One entry for two stages.
// expected-error @+1 {{found starts of 1 stages, expected 2}}
func.func private @schedule_c4() attributes {s = #a2q.schedule<ends = [[2, 4], [4]], starts = [0]>}

// -----

// A scalar start other than 0.
// expected-error @+1 {{starts of stage 0 must be 0 or integer elements of shape [channels, tiles, lanes]}}
func.func private @schedule_c4_scalar() attributes {s = #a2q.schedule<ends = [[4]], starts = [3]>}

// -----

// Starts are integers.
// expected-error @+1 {{starts of stage 0 must be 0 or integer elements}}
func.func private @schedule_c4_float() attributes {s = #a2q.schedule<ends = [[4]], starts = [dense<1.0> : tensor<2x1x1xf32>]>}

// -----

// More bits than any accumulator has.
// expected-error @+1 {{starts of stage 0 must be 0 or integer elements}}
func.func private @schedule_c4_wide() attributes {s = #a2q.schedule<ends = [[4]], starts = [dense<1> : tensor<2x1x1xi65>]>}

// -----

// Rank 1.
// expected-error-re @+1 {{starts of stage 0 have type {{.*}}, expected [channels, 1 tiles, lanes]}}
func.func private @schedule_c4_rank() attributes {s = #a2q.schedule<ends = [[4]], starts = [dense<1> : tensor<2xi8>]>}

// -----

// Starts of three tiles for two.
// expected-error @+1 {{expected [channels, 2 tiles, lanes]}}
func.func private @schedule_c4_tiles() attributes {s = #a2q.schedule<ends = [[2, 4], [4]], starts = [dense<1> : tensor<2x3x1xi8>, 0]>}

// -----

// Three lanes.
// expected-error @+1 {{expected [channels, 2 tiles, lanes]}}
func.func private @schedule_c4_lanes() attributes {s = #a2q.schedule<ends = [[2, 4], [4]], starts = [dense<1> : tensor<2x2x3xi8>, 0]>}

// -----

// Lanes outside the innermost stage.
// expected-error @+1 {{expected [channels, 1 tiles, lanes]}}
func.func private @schedule_c4_outer_lanes() attributes {s = #a2q.schedule<ends = [[2, 4], [4]], starts = [0, dense<1> : tensor<2x1x2xi8>]>}

// -----

// Two channels in one stage, three in the next.
// expected-error @+1 {{expected [channels, 1 tiles, lanes]}}
func.func private @schedule_c4_channels() attributes {s = #a2q.schedule<ends = [[2, 4], [4]], starts = [dense<1> : tensor<2x2x1xi8>, dense<1> : tensor<3x1x1xi8>]>}

// -----

// A resource of reals.
// expected-error @+1 {{starts of stage 0 must be 0 or integer elements}}
func.func private @schedule_c4_resource() attributes {s = #a2q.schedule<ends = [[4]], starts = [dense_resource<nowhere> : tensor<2x1x1xf32>]>}

// -----

// A term that is missing.
// expected-error @+1 {{the order has 2 terms, expected 3}}
func.func private @schedule_c5() attributes {s = #a2q.schedule<ends = [[3]], order = array<i64: 0, 1>>}

// -----

// A term that is added twice.
// expected-error @+1 {{the order must be a permutation of 0 to 2, term 1 is out of range or repeated}}
func.func private @schedule_c5_repeated() attributes {s = #a2q.schedule<ends = [[3]], order = array<i64: 0, 1, 1>>}

// -----

// A term that does not exist.
// expected-error @+1 {{term 3 is out of range or repeated}}
func.func private @schedule_c5_range() attributes {s = #a2q.schedule<ends = [[3]], order = array<i64: 0, 1, 3>>}

// -----

// A length that must not be allocated.
// expected-error @+1 {{the order has 1 terms, expected 9223372036854775807}}
func.func private @schedule_c5_huge() attributes {s = #a2q.schedule<ends = [[9223372036854775807]], order = array<i64: 0>>}

// -----

// Each part is given at most once.
// expected-error @+1 {{expected `starts` or `order`, each at most once}}
func.func private @schedule_repeated() attributes {s = #a2q.schedule<ends = [[1]], order = array<i64: 0>, order = array<i64: 0>>}

// -----

// A rounding mode that does not exist is an error of the op that has one.
func.func @rounding(%x: tensor<4xf32>) {
  // expected-error @+2 {{expected ::a2q::Rounding to be one of: half_even, half_up, half_away, toward_zero, floor}}
  // expected-error @+1 {{failed to parse}}
  %q = a2q.quantize %x rounding stochastic : tensor<4xf32> to tensor<4x!quant.uniform<u8:f32, 0.1>>
  return
}
