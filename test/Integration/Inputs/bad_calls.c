// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Calls a compiled network as it must not be called; prints what it returns.
#include "net.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *workspace;
static float x[8], back[8];
static int8_t y[6];
static uint8_t sums[6];

static void call(const char *what, const void *in0, const void *in1, void *out0,
                 void *out1, void *space) {
  const void *inputs[] = {in0, in1};
  void *outputs[] = {out0, out1};
  memset(sums, 99, sizeof sums);
  int status = net_run(inputs, outputs, space);
  printf("%s: status %d, output %s\n", what, status,
         sums[0] == 99 ? "untouched" : "written");
}

int main(void) {
  workspace = malloc(net_workspace_size() + 64);
  call("right", x, y, sums, back, workspace);
  call("null input", x, NULL, sums, back, workspace);
  call("null output", x, y, sums, NULL, workspace);
  if (net_workspace_size() != 0)
    call("null workspace", x, y, sums, back, NULL);
  call("misaligned input", (char *)x + 2, y, sums, back, workspace);
  call("misaligned output", x, y, sums, (char *)back + 1, workspace);
  call("odd bytes", x, y + 1, sums + 1, back, workspace + 3);
  free(workspace);
  return 0;
}
