// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One network compiled for one, two and three threads: the same results.
#include "one.h"
#include "three.h"
#include "two.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGE = 20 * 20 * 32, RESULTS = 5 };
static const size_t sizes[RESULTS] = {20 * 20 * 24, 18 * 18 * 64, 18 * 18 * 32,
                                      20 * 20 * 128, 64};

typedef int Run(const void *const *, void *const *, void *);

static unsigned char image[IMAGE], results[2][RESULTS][20 * 20 * 128];

static void call(Run *run, size_t workspace, int which) {
  const void *inputs[] = {image};
  void *outputs[RESULTS];
  void *space = malloc(workspace + 1);
  for (int i = 0; i < RESULTS; ++i)
    outputs[i] = memset(results[which][i], 77, sizes[i]);
  int status = run(inputs, outputs, space);
  if (status)
    printf("status %d\n", status);
  free(space);
}

static void compare(const char *name, Run *run, size_t workspace) {
  for (int round = 0; round < 20; ++round) {
    call(run, workspace, 1);
    for (int i = 0; i < RESULTS; ++i)
      if (memcmp(results[0][i], results[1][i], sizes[i]))
        printf("%s: result %d differs in round %d\n", name, i, round);
  }
  printf("%s: compared\n", name);
}

int main(void) {
  for (int i = 0; i < IMAGE; ++i)
    image[i] = (unsigned char)(i * 37 + i / 251);
  call(one_run, one_workspace_size(), 0);
  int middle = 0;
  for (size_t i = 0; i < sizes[1]; ++i)
    middle += results[0][1][i] > 0 && results[0][1][i] < 255;
  printf("%s\n", middle > 1000 ? "many codes" : "few codes");
  compare("two", two_run, two_workspace_size());
  compare("three", three_run, three_workspace_size());
  return 0;
}
