//===- Matching.h - Pairs of what goes together -----------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which of `n` things to put side by side so that as many as possible have a
// neighbour that they get along with: a maximum matching in a general graph,
// by Edmonds' algorithm (Paths, Trees, and Flowers, 1965). An alternating path
// between two free nodes makes the matching one pair larger; odd cycles on the
// way are contracted, because a path may leave them in either direction.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_MATH_MATCHING_H
#define A2Q_MATH_MATCHING_H

#include <cstdint>
#include <span>
#include <vector>

namespace a2q {

/// An undirected graph without loops, one bit per pair of nodes.
class PairGraph {
public:
  explicit PairGraph(int64_t nodes) : nodes(nodes), bits(nodes * nodes) {}

  int64_t size() const { return nodes; }
  void connect(int64_t a, int64_t b) {
    bits[a * nodes + b] = bits[b * nodes + a] = true;
  }
  bool connects(int64_t a, int64_t b) const { return bits[a * nodes + b]; }

private:
  int64_t nodes;
  std::vector<bool> bits;
};

/// The partner of each node, or -1: as many pairs of connected nodes as there
/// can be. Where the graph allows, node 2i stays beside 2i + 1. O(n^3).
std::vector<int64_t> maximumMatching(const PairGraph &graph);

} // namespace a2q

#endif // A2Q_MATH_MATCHING_H
