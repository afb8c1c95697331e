//===- CheckFailed.cpp - Where checked programs report ----------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Execution/CheckFailed.h"

#include <cinttypes>
#include <cstdio>
#include <cstdlib>

/// The stage that stands for an argument outside of its `a2q.range`.
static constexpr int64_t argumentStage = -1;

void a2q_check_failed(const char *layer, int64_t channel, int64_t stage,
                      int64_t value, int64_t lo, int64_t hi) {
  std::fflush(stdout);
  if (stage == argumentStage)
    std::fprintf(stderr,
                 "error: element %" PRId64 " of argument \"%s\" is %" PRId64
                 ", the model promises [%" PRId64 ", %" PRId64 "]\n",
                 channel, layer, value, lo, hi);
  else
    std::fprintf(stderr,
                 "error: accumulator of layer \"%s\", channel %" PRId64
                 ", stage %" PRId64 " holds %" PRId64
                 ", its type promises [%" PRId64 ", %" PRId64 "]\n",
                 layer, channel, stage, value, lo, hi);
  // No destructors: other threads may still run the program.
  std::_Exit(1);
}
