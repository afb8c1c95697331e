// What the inner loops of look-ups consist of. A step reads two tables for each
// position, each by half of the bytes of weights (64 entries: one table, by whole
// bytes), adds bytes, and keeps nothing on the stack.

// REQUIRES: avx2
// DEFINE: %{compile} = a2q-compile %s -o %t.o --prefix=m
// DEFINE: %{count} = llvm-objdump -d --no-show-raw-insn %t.o | %python %S/Inputs/inner_loop.py
// RUN: %{compile} --isa=avx2 --target-cpu=haswell
// RUN: %{count} vpaddb | FileCheck %s --check-prefix=AVX2
// RUN: %{compile} --isa=avx512vbmi --target-cpu=icelake-server --look-ups=64
// RUN: %{count} vpaddb | FileCheck %s --check-prefix=VBMI

// 8 positions and a vector of 16 channels, two bits of each.
// AVX2: moves 0
// AVX2: vbroadcasti128 16
// AVX2-NOT: vpmaddubsw
// AVX2: vpaddb 16
// AVX2: vpand 2
// AVX2: vpshufb 16

// 4 positions and 4 vectors of 32 channels.
// VBMI: moves 0
// VBMI: vpaddb 16
// VBMI: vpermb 16

!x = !quant.uniform<u8<0:3>:f32, 0.1>
!w = !quant.uniform<i8<-2:1>:f32, 0.1>
func.func @main(%x: tensor<40x1024x!x>) -> tensor<40x128xi32> {
  %c = arith.constant dense<-2> : tensor<128x1024xi8>
  %w = quant.scast %c : tensor<128x1024xi8> to tensor<128x1024x!w>
  %a = a2q.matmul %x, %w : tensor<40x1024x!x>, tensor<128x1024x!w> -> tensor<40x128x!a2q.acc<32>>
  %d = a2q.decode %a : tensor<40x128x!a2q.acc<32>> to tensor<40x128xi32>
  return %d : tensor<40x128xi32>
}
