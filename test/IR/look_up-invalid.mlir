// RUN: a2q-opt %s --verify-diagnostics --split-input-file

// No shuffle has 32 entries.
func.func @look_up_c1(%t: vector<32xi8>, %i: vector<32xi8>) {
  // expected-error @+1 {{must have 16 or 64 elements}}
  %r = a2q.look_up %t at %i : vector<32xi8>, vector<32xi8>
  return
}

// -----

// Entries of a word.
func.func @look_up_c1_word(%t: vector<16xi16>, %i: vector<16xi8>) {
  // expected-error @+1 {{must be vector of 8-bit signless integer values}}
  %r = a2q.look_up %t at %i : vector<16xi16>, vector<16xi8>
  return
}

// -----

// A length that is not known.
func.func @look_up_c2(%t: vector<16xi8>, %i: vector<[16]xi8>) {
  // expected-error @+1 {{}}
  %r = a2q.look_up %t at %i : vector<16xi8>, vector<[16]xi8>
  return
}
