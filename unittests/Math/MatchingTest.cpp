//===- MatchingTest.cpp - Pairs of what goes together ---------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/Matching.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <random>

using namespace a2q;

namespace {

/// The size of the largest matching among nodes that are not `taken`.
int64_t largest(const PairGraph &graph, uint32_t taken) {
  for (int64_t a = 0; a < graph.size(); ++a) {
    if (taken >> a & 1)
      continue;
    int64_t best = largest(graph, taken | 1u << a);
    for (int64_t b = a + 1; b < graph.size(); ++b)
      if (!(taken >> b & 1) && graph.connects(a, b))
        best = std::max(best, 1 + largest(graph, taken | 1u << a | 1u << b));
    return best;
  }
  return 0;
}

/// Partners know each other and are connected. Returns how many pairs.
int64_t checkMatching(const PairGraph &graph,
                      const std::vector<int64_t> &partner) {
  int64_t pairs = 0;
  for (int64_t node = 0; node < graph.size(); ++node) {
    if (partner[node] < 0)
      continue;
    EXPECT_EQ(partner[partner[node]], node);
    EXPECT_TRUE(graph.connects(node, partner[node]));
    pairs += partner[node] > node;
  }
  return pairs;
}

PairGraph graphOf(int64_t nodes, uint64_t edges) {
  PairGraph graph(nodes);
  for (int64_t a = 0; a < nodes; ++a)
    for (int64_t b = a + 1; b < nodes; ++b, edges >>= 1)
      if (edges & 1)
        graph.connect(a, b);
  return graph;
}

} // namespace

TEST(Matching, IsMaximumInEveryGraphOfUpToSixNodes) {
  for (int64_t nodes = 0; nodes <= 6; ++nodes)
    for (uint64_t edges = 0; edges >> (nodes * (nodes - 1) / 2) == 0; ++edges) {
      PairGraph graph = graphOf(nodes, edges);
      ASSERT_EQ(checkMatching(graph, maximumMatching(graph)), largest(graph, 0))
          << nodes << " nodes, edges " << edges;
      if (nodes < 2)
        break;
    }
}

// Odd cycles in odd cycles need more nodes than six.
TEST(Matching, IsMaximumInSparseGraphsOfTenNodes) {
  std::mt19937 random(1);
  for (int64_t run = 0; run < 400; ++run) {
    PairGraph graph(10);
    for (int64_t edge = 0; edge < 9 + run % 6; ++edge) {
      auto a = static_cast<int64_t>(random() % 10);
      auto b = static_cast<int64_t>(random() % 10);
      if (a != b)
        graph.connect(a, b);
    }
    ASSERT_EQ(checkMatching(graph, maximumMatching(graph)), largest(graph, 0))
        << "run " << run;
  }
}

TEST(Matching, LeavesNeighboursWhoGetAlong) {
  PairGraph graph = graphOf(6, ~uint64_t(0));
  EXPECT_EQ(maximumMatching(graph), (std::vector<int64_t>{1, 0, 3, 2, 5, 4}));
}

// Two odd cycles joined by an edge: a search from one ends in the other.
TEST(Matching, PassesThroughOddCycles) {
  PairGraph graph(6);
  for (auto [a, b] :
       {std::pair(0, 1), std::pair(1, 2), std::pair(0, 2), std::pair(2, 3),
        std::pair(3, 4), std::pair(4, 5), std::pair(3, 5)})
    graph.connect(a, b);
  EXPECT_EQ(checkMatching(graph, maximumMatching(graph)), 3);
}
