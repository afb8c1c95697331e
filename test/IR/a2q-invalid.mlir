// RUN: a2q-opt %s --verify-diagnostics --split-input-file --allow-unregistered-dialect

// One end.
// expected-error @+1 {{a2q.range must be [lo, hi] or {axis, lo, hi}}}
func.func private @a2q_c1(tensor<4xi8> {a2q.range = [0]})

// -----

// Real ends.
// expected-error @+1 {{a2q.range must be [lo, hi] or {axis, lo, hi}}}
func.func private @a2q_c1_type(tensor<4xi8> {a2q.range = [0.0, 1.0]})

// -----

// The ends swapped.
// expected-error @+1 {{a2q.range [1, 0] is empty}}
func.func private @a2q_c1_order(tensor<4xi8> {a2q.range = [1, 0]})

// -----

// Another kind of array.
// expected-error @+1 {{a2q.range must be [lo, hi] or {axis, lo, hi}}}
func.func private @a2q_c1_array(tensor<4xi8> {a2q.range = array<i64: 0, 1>})

// -----

// Reals have no range of integers.
// expected-error @+1 {{a2q.range is given for}}
func.func private @a2q_c2(tensor<4xf32> {a2q.range = [0, 1]})

// -----

// Two results, one range.
func.func @a2q_c2_results() {
  // expected-error @+1 {{a2q.range belongs to an op with one result, found 2}}
  %0:2 = "test.op"() {a2q.range = [0, 1]} : () -> (i8, i8)
  return
}

// -----

// Neither a signed nor an unsigned byte.
// expected-error @+1 {{a2q.range [-1, 255] does not fit the elements of}}
func.func private @a2q_c2_fit(tensor<4xi8> {a2q.range = [-1, 255]})

// -----

// Two ranges for four elements.
// expected-error @+1 {{a2q.range has 2 ranges along dimension 0}}
func.func private @a2q_c1_axis(tensor<4xi8> {a2q.range = {axis = 0, lo = array<i64: 0, 0>, hi = array<i64: 1, 1>}})
