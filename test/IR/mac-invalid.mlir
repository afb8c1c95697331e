// RUN: a2q-opt %s --verify-diagnostics --split-input-file --allow-unregistered-dialect

// Eight codes against four.
func.func @mac_c1(%a: vector<4xi16>, %l: vector<8xi8>, %r: vector<4xi8>) {
  // expected-error @+1 {{must have one length}}
  %d = a2q.mac %a, %l, %r : vector<4xi16>, vector<8xi8>, vector<4xi8> -> vector<4xi16>
  return
}

// -----

// A result of another type.
func.func @mac_c1_result(%a: vector<4xi16>, %l: vector<8xi8>, %r: vector<8xi8>) {
  // expected-error @+1 {{the result the type of the accumulator}}
  %d = a2q.mac %a, %l, %r : vector<4xi16>, vector<8xi8>, vector<8xi8> -> vector<4xi32>
  return
}

// -----

// Rank 2.
func.func @mac_c1_rank(%a: vector<2x2xi16>, %l: vector<4xi8>, %r: vector<4xi8>) {
  // expected-error @+1 {{of ranks 1}}
  %d = a2q.mac %a, %l, %r : vector<2x2xi16>, vector<4xi8>, vector<4xi8> -> vector<2x2xi16>
  return
}

// -----

// Real accumulators.
func.func @mac_c1_float(%a: vector<4xf32>, %l: vector<4xi8>, %r: vector<4xi8>) {
  // expected-error @+1 {{signless integer}}
  %d = a2q.mac %a, %l, %r : vector<4xf32>, vector<4xi8>, vector<4xi8> -> vector<4xf32>
  return
}

// -----

// A length that is not known.
func.func @mac_c1_scalable(%a: vector<[4]xi16>, %l: vector<8xi8>, %r: vector<8xi8>) {
  // expected-error @+1 {{must have a fixed length}}
  %d = a2q.mac %a, %l, %r : vector<[4]xi16>, vector<8xi8>, vector<8xi8> -> vector<[4]xi16>
  return
}

// -----

// Three codes to a lane.
func.func @mac_c2(%a: vector<4xi16>, %l: vector<12xi8>, %r: vector<12xi8>) {
  // expected-error @+1 {{must be 1, 2 or 4}}
  %d = a2q.mac %a, %l, %r : vector<4xi16>, vector<12xi8>, vector<12xi8> -> vector<4xi16>
  return
}

// -----

// One and a half codes to a lane.
func.func @mac_c2_fraction(%a: vector<4xi16>, %l: vector<6xi8>, %r: vector<6xi8>) {
  // expected-error @+1 {{must be 1, 2 or 4}}
  %d = a2q.mac %a, %l, %r : vector<4xi16>, vector<6xi8>, vector<6xi8> -> vector<4xi16>
  return
}

// -----

// Fewer codes than lanes.
func.func @mac_c2_less(%a: vector<4xi16>, %l: vector<2xi8>, %r: vector<2xi8>) {
  // expected-error @+1 {{must be 1, 2 or 4}}
  %d = a2q.mac %a, %l, %r : vector<4xi16>, vector<2xi8>, vector<2xi8> -> vector<4xi16>
  return
}

// -----

// Codes wider than their accumulator.
func.func @mac_c3(%a: vector<4xi8>, %l: vector<4xi16>, %r: vector<4xi8>) {
  // expected-error @+1 {{must be at least as wide as the codes}}
  %d = a2q.mac %a, %l, %r : vector<4xi8>, vector<4xi16>, vector<4xi8> -> vector<4xi8>
  return
}

// -----

// No instruction saturates 32 bits here.
func.func @mac_c4(%a: vector<4xi32>, %l: vector<8xi8>, %r: vector<8xi8>) {
  // expected-error @+1 {{`pair_exact` needs pairs of i8 codes, i16 accumulators and the range of lhs}}
  %d = a2q.mac %a, %l, %r pair_exact range [0, 15] : vector<4xi32>, vector<8xi8>, vector<8xi8> -> vector<4xi32>
  return
}

// -----

// Single products.
func.func @mac_c4_factor(%a: vector<4xi16>, %l: vector<4xi8>, %r: vector<4xi8>) {
  // expected-error @+1 {{`pair_exact` needs pairs}}
  %d = a2q.mac %a, %l, %r pair_exact range [0, 15] : vector<4xi16>, vector<4xi8>, vector<4xi8> -> vector<4xi16>
  return
}

// -----

// One end of a range.
func.func @mac_c4_range(%a: vector<4xi16>, %l: vector<8xi8>, %r: vector<8xi8>) {
  // expected-error @+1 {{`pair_exact` needs pairs}}
  %d = a2q.mac %a, %l, %r pair_exact range [0] : vector<4xi16>, vector<8xi8>, vector<8xi8> -> vector<4xi16>
  return
}

// -----

// The ends swapped.
func.func @mac_c4_reversed(%a: vector<4xi16>, %l: vector<8xi8>, %r: vector<8xi8>) {
  // expected-error @+1 {{range [15, 0] of lhs must hold i8 codes}}
  %d = a2q.mac %a, %l, %r pair_exact range [15, 0] : vector<4xi16>, vector<8xi8>, vector<8xi8> -> vector<4xi16>
  return
}

// -----

// Unsigned codes of a signed operand.
func.func @mac_c4_signed(%a: vector<4xi16>, %l: vector<8xi8>, %r: vector<8xi8>) {
  // expected-error @+1 {{range [0, 255] of lhs must hold i8 codes}}
  %d = a2q.mac %a, %l, %r pair_exact range [0, 255] : vector<4xi16>, vector<8xi8>, vector<8xi8> -> vector<4xi16>
  return
}

// -----

// A range that nothing was proven of.
func.func @mac_c4_alone(%a: vector<4xi16>, %l: vector<8xi8>) {
  // expected-error @+1 {{belong to `pair_exact`}}
  %d = "a2q.mac"(%a, %l, %l) <{lhs_range = array<i64: 0, 15>}> : (vector<4xi16>, vector<8xi8>, vector<8xi8>) -> vector<4xi16>
  return
}
