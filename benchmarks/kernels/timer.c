/* Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
   See the LICENSE file for license information.
   SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Calls a compiled network in batches; the nanoseconds of one call of each. */
#define _POSIX_C_SOURCE 200809L
#include <stddef.h>
#include <time.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

int model_run(const void *const *inputs, void *const *outputs, void *workspace);

int time_model(const void *const *inputs, void *const *outputs, void *workspace,
               int batches, int calls, double *times) {
  for (int b = 0; b < batches; ++b) {
    double start = now();
    for (int i = 0; i < calls; ++i) {
      int status = model_run(inputs, outputs, workspace);
      if (status)
        return status;
    }
    times[b] = (now() - start) / calls;
  }
  return 0;
}
