// Calls a compiled network from C, twice, with a workspace of odd alignment.
#include "net.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
  float x[6] = {-1.0f, 0.24f, 0.26f, 3.75f, 100.0f, 0.0f};
  int8_t y[6];
  uint8_t sums[6];
  float back[6];
  const void *inputs[] = {x, y};
  void *outputs[] = {sums, back};
  char *workspace = malloc(net_workspace_size() + 1);
  for (int run = 0; run < 2; ++run) {
    for (int i = 0; i < 6; ++i)
      y[i] = (int8_t)(i - 3 + run);
    memset(workspace, 0xff, net_workspace_size() + 1);
    int status = net_run(inputs, outputs, workspace + 1);
    printf("status %d:", status);
    for (int i = 0; i < 6; ++i)
      printf(" %d/%g", sums[i], back[i]);
    printf("\n");
  }
  free(workspace);
  return 0;
}
