//===- Progress.h - How far a long run has come -----------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_SUPPORT_PROGRESS_H
#define A2Q_SUPPORT_PROGRESS_H

#include "llvm/ADT/StringRef.h"

#include <chrono>
#include <string>

namespace a2q {

/// A bar on standard error, from the second second on and only on a terminal.
/// It is gone when the object is.
class Progress {
public:
  Progress(llvm::StringRef what, int64_t total);
  ~Progress();
  Progress(const Progress &) = delete;
  Progress &operator=(const Progress &) = delete;

  void advance(int64_t steps = 1);

private:
  using Clock = std::chrono::steady_clock;

  std::string what;
  int64_t total, done = 0;
  Clock::time_point next;
  bool onTerminal, shown = false;
};

} // namespace a2q

#endif // A2Q_SUPPORT_PROGRESS_H
