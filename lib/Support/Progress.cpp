//===- Progress.cpp - How far a long run has come -------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Support/Progress.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

using namespace a2q;

Progress::Progress(llvm::StringRef what, int64_t total)
    : what(what), total(total), next(Clock::now() + std::chrono::seconds(1)),
      onTerminal(llvm::errs().is_displayed()) {}

void Progress::advance(int64_t steps) {
  done += steps;
  if (!onTerminal || total <= 0 || Clock::now() < next)
    return;
  next = Clock::now() + std::chrono::milliseconds(100);
  shown = true;
  constexpr int64_t length = 30;
  std::string bar(done * length / total, '#');
  llvm::errs() << llvm::format("\r%s [%-30s] %3d %%", what.c_str(), bar.c_str(),
                               static_cast<int>(done * 100 / total));
}

Progress::~Progress() {
  if (shown)
    llvm::errs() << "\r\x1b[K";
}
