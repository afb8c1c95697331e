//===- CheckFailed.h - Where checked programs report ------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_EXECUTION_CHECKFAILED_H
#define A2Q_EXECUTION_CHECKFAILED_H

#include <cstdint>

/// What programs compiled with accumulator checks call when the accumulator of
/// a stage holds a value that its type excludes. In this process it prints
/// layer, channel, stage, value and promise, and exits with status 1. Stage -1
/// is an argument outside of its `a2q.range`: `layer` is its name and `channel`
/// the number of the element. Whoever links a checked object file into another
/// program defines it there.
extern "C" void a2q_check_failed(const char *layer, int64_t channel,
                                 int64_t stage, int64_t value, int64_t lo,
                                 int64_t hi);

#endif // A2Q_EXECUTION_CHECKFAILED_H
