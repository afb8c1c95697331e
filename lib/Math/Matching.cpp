//===- Matching.cpp - Pairs of what goes together -------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/Matching.h"

#include <numeric>

namespace a2q {

namespace {
/// One search from a free node. Nodes at an even distance from it are `outer`;
/// an edge between two outer ones closes an odd cycle, whose nodes become outer
/// and get a common `base`.
class Search {
public:
  Search(const PairGraph &graph, std::vector<int64_t> &partner)
      : graph(graph), partner(partner), parent(graph.size(), -1),
        base(graph.size()), isOuter(graph.size(), false) {
    std::iota(base.begin(), base.end(), 0);
  }

  bool augment(int64_t root);

private:
  int64_t commonBase(int64_t a, int64_t b) const;
  void markCycle(int64_t from, int64_t end, int64_t child,
                 std::vector<bool> &inCycle);
  void contract(int64_t a, int64_t b);
  void makeOuter(int64_t node) {
    isOuter[node] = true;
    queue.push_back(node);
  }

  const PairGraph &graph;
  std::vector<int64_t> &partner;
  /// Of an inner node: the outer one that it was found from.
  std::vector<int64_t> parent, base;
  std::vector<bool> isOuter;
  std::vector<int64_t> queue;
};
} // namespace

int64_t Search::commonBase(int64_t a, int64_t b) const {
  std::vector<bool> passed(graph.size(), false);
  for (;; a = parent[partner[a]]) {
    a = base[a];
    passed[a] = true;
    if (partner[a] < 0)
      break; // the root
  }
  for (b = base[b]; !passed[b]; b = base[parent[partner[b]]]) {
  }
  return b;
}

/// Walks from an outer node to the base `end`. Inner nodes on the way can now
/// be reached from the other side, through `child`.
void Search::markCycle(int64_t from, int64_t end, int64_t child,
                       std::vector<bool> &inCycle) {
  while (base[from] != end) {
    inCycle[base[from]] = inCycle[base[partner[from]]] = true;
    parent[from] = child;
    child = partner[from];
    from = parent[partner[from]];
  }
}

void Search::contract(int64_t a, int64_t b) {
  int64_t end = commonBase(a, b);
  std::vector<bool> inCycle(graph.size(), false);
  markCycle(a, end, b, inCycle);
  markCycle(b, end, a, inCycle);
  for (int64_t node = 0; node < graph.size(); ++node)
    if (inCycle[base[node]]) {
      base[node] = end;
      if (!isOuter[node])
        makeOuter(node);
    }
}

bool Search::augment(int64_t root) {
  makeOuter(root);
  for (size_t head = 0; head < queue.size(); ++head) {
    int64_t from = queue[head];
    for (int64_t to = 0; to < graph.size(); ++to) {
      if (!graph.connects(from, to) || base[from] == base[to] ||
          partner[from] == to)
        continue;
      if (to == root || (partner[to] >= 0 && parent[partner[to]] >= 0)) {
        contract(from, to);
      } else if (parent[to] < 0) {
        parent[to] = from;
        if (partner[to] >= 0) {
          makeOuter(partner[to]);
          continue;
        }
        // Free: swap the edges of the path.
        for (int64_t node = to; node >= 0;) {
          int64_t before = parent[node], next = partner[before];
          partner[node] = before;
          partner[before] = node;
          node = next;
        }
        return true;
      }
    }
  }
  return false;
}

std::vector<int64_t> maximumMatching(const PairGraph &graph) {
  std::vector<int64_t> partner(graph.size(), -1);
  auto join = [&](int64_t a, int64_t b) {
    partner[a] = b;
    partner[b] = a;
  };
  for (int64_t node = 0; node + 1 < graph.size(); node += 2)
    if (graph.connects(node, node + 1))
      join(node, node + 1);
  for (int64_t node = 0; node < graph.size(); ++node)
    for (int64_t other = node + 1; partner[node] < 0 && other < graph.size();
         ++other)
      if (partner[other] < 0 && graph.connects(node, other))
        join(node, other);
  for (int64_t node = 0; node < graph.size(); ++node)
    if (partner[node] < 0)
      Search(graph, partner).augment(node);
  return partner;
}

} // namespace a2q
