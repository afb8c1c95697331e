// RUN: a2q-opt %s --a2q-verify-macs --split-input-file --verify-diagnostics

func.func @holds(%a: vector<2xi16>, %x: vector<4xi8>) -> vector<2xi16> {
  %w = arith.constant dense<[127, 1, -128, 0]> : vector<4xi8>
  %r = a2q.mac %a, %x unsigned, %w pair_exact range [0, 255]
      : vector<2xi16>, vector<4xi8>, vector<4xi8> -> vector<2xi16>
  return %r : vector<2xi16>
}

// -----

func.func @saturates(%a: vector<2xi16>, %x: vector<4xi8>) -> vector<2xi16> {
  %w = arith.constant dense<[127, 1, -128, -1]> : vector<4xi8>
  // expected-error @below {{promises exact pairs, but weights -128 and -1 with codes [0, 255] leave 16 bits}}
  // expected-note @below {{without `pair_exact` the op wraps and is lowered exactly}}
  %r = a2q.mac %a, %x unsigned, %w pair_exact range [0, 255]
      : vector<2xi16>, vector<4xi8>, vector<4xi8> -> vector<2xi16>
  return %r : vector<2xi16>
}

// -----

func.func @unknown(%a: vector<2xi16>, %x: vector<4xi8>, %w: vector<4xi8>) -> vector<2xi16> {
  // expected-error @below {{promises exact pairs, but its weights are not rows of a constant}}
  %r = a2q.mac %a, %x unsigned, %w pair_exact range [0, 255]
      : vector<2xi16>, vector<4xi8>, vector<4xi8> -> vector<2xi16>
  return %r : vector<2xi16>
}

// -----

// Read from the second byte on, the pairs are others.
func.func @shifted(%a: vector<2xi16>, %x: vector<4xi8>) -> vector<2xi16> {
  %c = arith.constant dense<1> : tensor<5xi8>
  %one = arith.constant 1 : index
  %zero = arith.constant 0 : i8
  %w = vector.transfer_read %c[%one], %zero {in_bounds = [true]} : tensor<5xi8>, vector<4xi8>
  // expected-error @below {{promises exact pairs, but its weights are not rows of a constant}}
  %r = a2q.mac %a, %x unsigned, %w pair_exact range [0, 255]
      : vector<2xi16>, vector<4xi8>, vector<4xi8> -> vector<2xi16>
  return %r : vector<2xi16>
}
