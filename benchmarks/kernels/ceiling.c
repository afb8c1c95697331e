/* Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
   See the LICENSE file for license information.
   SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the instructions alone can do: the inner loops of a kernel on registers
   that stay, without loads. Prints GMAC/s for `ceiling FORM SECONDS`. */
#define _POSIX_C_SOURCE 200809L
#include <immintrin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

enum { kAccumulators = 12, kCalls = 20000 };

/* Operands are opaque to the compiler, so that every instruction stays. */
#define KERNEL(NAME, TARGET, VECTOR, ZERO, STEP, MACS)                         \
  __attribute__((target(TARGET))) static double NAME(void) {                   \
    VECTOR acc[kAccumulators], x = ZERO, w = ZERO, ones = ZERO;                \
    for (int i = 0; i < kAccumulators; ++i)                                    \
      acc[i] = ZERO;                                                           \
    __asm__ volatile("" : "+v"(x), "+v"(w), "+v"(ones));                       \
    double start = now();                                                      \
    for (int n = 0; n < kCalls; ++n) {                                         \
      _Pragma("GCC unroll 12") for (int i = 0; i < kAccumulators; ++i) {       \
        VECTOR product;                                                        \
        (void)product;                                                         \
        STEP;                                                                  \
        __asm__ volatile("" : "+v"(acc[i]));                                   \
      }                                                                        \
    }                                                                          \
    return (double)MACS * kAccumulators * kCalls / (now() - start) * 1e-9;     \
  }

#define MUL16                                                                  \
  __asm__ volatile("vpmaddubsw %2, %1, %0" : "=v"(product) : "v"(x), "v"(w));  \
  __asm__ volatile("vpaddw %1, %0, %0" : "+v"(acc[i]) : "v"(product))
#define MUL32                                                                  \
  __asm__ volatile("vpmaddubsw %2, %1, %0" : "=v"(product) : "v"(x), "v"(w));  \
  __asm__ volatile("vpmaddwd %1, %0, %0" : "+v"(product) : "v"(ones));         \
  __asm__ volatile("vpaddd %1, %0, %0" : "+v"(acc[i]) : "v"(product))
#define DOT32                                                                  \
  __asm__ volatile("vpdpbusd %2, %1, %0" : "+v"(acc[i]) : "v"(x), "v"(w))

KERNEL(ymm16, "avx2", __m256i, _mm256_setzero_si256(), MUL16, 32)
KERNEL(ymm32, "avx2", __m256i, _mm256_setzero_si256(), MUL32, 32)
KERNEL(zmm16, "avx512f,avx512bw", __m512i, _mm512_setzero_si512(), MUL16, 64)
KERNEL(zmm32, "avx512f,avx512bw", __m512i, _mm512_setzero_si512(), MUL32, 64)
KERNEL(vnni, "avx512f,avx512bw,avx512vnni", __m512i, _mm512_setzero_si512(),
       DOT32, 64)

int main(int argc, char **argv) {
  if (argc != 3)
    return fprintf(stderr, "usage: ceiling FORM SECONDS\n"), 2;
  double (*run)(void) = !strcmp(argv[1], "avx2-16")         ? ymm16
                        : !strcmp(argv[1], "avx2-32")       ? ymm32
                        : !strcmp(argv[1], "avx512bw-16")   ? zmm16
                        : !strcmp(argv[1], "avx512bw-32")   ? zmm32
                        : !strcmp(argv[1], "avx512vnni-16") ? zmm16
                        : !strcmp(argv[1], "avx512vnni-32") ? vnni
                        : !strcmp(argv[1], "avx512vbmi-32") ? vnni
                                                            : NULL;
  if (!run)
    return fprintf(stderr, "unknown form %s\n", argv[1]), 2;
  double best = 0, end = now() + atof(argv[2]);
  while (now() < end) {
    double rate = run();
    best = rate > best ? rate : best;
  }
  printf("%.1f\n", best);
  return 0;
}
