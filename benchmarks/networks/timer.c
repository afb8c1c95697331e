/* Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
   See the LICENSE file for license information.
   SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Calls a compiled network several times. */

int model_run(const void *const *inputs, void *const *outputs, void *workspace);

int repeat_model(const void *const *inputs, void *const *outputs,
                 void *workspace, int calls) {
  for (int i = 0; i < calls; ++i) {
    int status = model_run(inputs, outputs, workspace);
    if (status)
      return status;
  }
  return 0;
}
