// RUN: a2q-opt %s --verify-diagnostics --split-input-file --allow-unregistered-dialect

// No stage at all.
// expected-error @+1 {{an accumulator type needs at least one stage}}
func.func private @acc_c1(tensor<2x!a2q.acc<>>)

// -----

// The same rule, in a list that is spelled out.
// expected-error @+1 {{expected integer value}}
func.func private @acc_c1_only_wrap(tensor<2x!a2q.acc<wrap>>)

// -----

// A register of no bits.
// expected-error @+1 {{stage 0 has width 0, widths are from 1 to 64}}
func.func private @acc_c2(tensor<2x!a2q.acc<0>>)

// -----

// One more than a machine register.
// expected-error @+1 {{stage 0 has width 65, widths are from 1 to 64}}
func.func private @acc_c2_wide(tensor<2x!a2q.acc<65>>)

// -----

// More than the parser counts to.
// expected-error @+1 {{integer value too large}}
func.func private @acc_c2_huge(tensor<2x!a2q.acc<99999999999999999999>>)

// -----

// An inner stage without a term count.
// expected-error @+1 {{stage 0 has tiles of 0 products, they must grow outwards from 1}}
func.func private @acc_c3(tensor<2x!a2q.acc<16, 32>>)

// -----

// An outermost stage with one.
// expected-error @+1 {{the outermost stage covers all products and takes no term count, found 8}}
func.func private @acc_c3_outermost(tensor<2x!a2q.acc<16 x 4, 32 x 8>>)

// -----

// A middle stage that spills as often as the inner one.
// expected-error @+1 {{stage 1 has tiles of 4 products, they must grow outwards from 1}}
func.func private @acc_c3_order(tensor<2x!a2q.acc<8 x 4, 16 x 4, 32>>)

// -----

// A negative count.
// expected-error @+1 {{stage 0 has tiles of -4 products}}
func.func private @acc_c3_negative(tensor<2x!a2q.acc<8 x -4, 32>>)

// -----

// An outer stage that cannot hold what it is handed.
// expected-error @+1 {{stage 1 has width 8, narrower than the 16 bits of the stage inside it}}
func.func private @acc_c4(tensor<2x!a2q.acc<16 x 4, 8>>)

// -----

// `wrap` describes the whole chain.
// expected-error @+1 {{expected `wrap` to come last}}
func.func private @acc_wrap(tensor<2x!a2q.acc<16, wrap, 32>>)
