// What the inner loops consist of, so that a slower one is seen on any machine
// and at any load. Per step and block: as many products as positions x vectors,
// one broadcast per position, one load per vector of weights, nothing on the
// stack, and what counts the loop.

// REQUIRES: avx2
// DEFINE: %{compile} = a2q-compile %s -o %t.o --prefix=m
// DEFINE: %{count} = llvm-objdump -d --no-show-raw-insn %t.o | %python %S/Inputs/inner_loop.py
// RUN: %{compile} --isa=avx2 --target-cpu=haswell --accumulator=16
// RUN: %{count} vpmaddubsw | FileCheck %s --check-prefix=AVX2
// RUN: %{compile} --isa=avx2 --target-cpu=haswell --accumulator=32
// RUN: %{count} vpmaddubsw | FileCheck %s --check-prefix=WIDE
// RUN: %{compile} --isa=avx512bw --target-cpu=skylake-avx512 --accumulator=16
// RUN: %{count} vpmaddubsw | FileCheck %s --check-prefix=AVX512
// RUN: %{compile} --isa=avx512vnni --target-cpu=cascadelake
// RUN: %{count} vpdpbusd | FileCheck %s --check-prefix=VNNI
// RUN: %{compile} --isa=portable --target-cpu=haswell --accumulator=16
// RUN: %{count} vpmullw | FileCheck %s --check-prefix=PORTABLE

// Two steps of 5 positions and 2 vectors of 8 channels.
// AVX2: moves 0
// AVX2: vmovdqa 4
// AVX2: vpaddw 20
// AVX2: vpbroadcastd 10
// AVX2: vpmaddubsw 20

// One step, with a spill after it: pmaddwd and another addition. LLVM keeps
// some accumulators on the stack; with 4 positions it still does, and is slower.
// WIDE: vpaddd 10
// WIDE: vpbroadcastd 5
// WIDE: vpmaddubsw 10
// WIDE: vpmaddwd 10

// Two steps of 8 positions and 2 vectors of 16 channels.
// AVX512: moves 0
// AVX512: vmovdqa64 4
// AVX512: vpaddw 32
// AVX512: vpbroadcastd 16
// AVX512: vpmaddubsw 32

// One instruction instead of two or three.
// VNNI: moves 0
// VNNI: vmovdqa64 4
// VNNI-NOT: vpadd
// VNNI: vpbroadcastd 16
// VNNI: vpdpbusd 32

// One step of 4 positions and 32 channels, which are two registers of LLVM's
// choice: codes are read where they lie, weights are extended beforehand.
// PORTABLE: moves 0
// PORTABLE: vmovdqa 2
// PORTABLE-NOT: vpmovsx
// PORTABLE: vpaddw 8
// PORTABLE: vpbroadcastb 4
// PORTABLE: vpmovzxbw 4
// PORTABLE: vpmullw 8

!x = !quant.uniform<u8:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.1>
func.func @main(%x: tensor<40x1024x!x>) -> tensor<40x64xi32> {
  %c = arith.constant dense<3> : tensor<64x1024xi8>
  %w = quant.scast %c : tensor<64x1024xi8> to tensor<64x1024x!w>
  %a = a2q.matmul %x, %w : tensor<40x1024x!x>, tensor<64x1024x!w> -> tensor<40x64x!a2q.acc<32>>
  %d = a2q.decode %a : tensor<40x64x!a2q.acc<32>> to tensor<40x64xi32>
  return %d : tensor<40x64xi32>
}
