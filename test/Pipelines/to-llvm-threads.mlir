// RUN: a2q-opt %s "--a2q-to-llvm-pipeline=target-cpu=haswell threads=2" | FileCheck %s
// RUN: a2q-opt %s "--a2q-to-llvm-pipeline=target-cpu=haswell" | FileCheck %s --check-prefix=ONE

// Threads wait for each other where the region ends, and only there.
// CHECK: %[[TWO:.*]] = llvm.mlir.constant(2 : i32)
// CHECK: omp.parallel num_threads(%[[TWO]] : i32)
// CHECK-NEXT: omp.wsloop nowait
// CHECK-NOT: omp.parallel
// ONE-NOT: omp.
!x = !quant.uniform<u8:f32, 0.5>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @main(%x: tensor<64x512x!x>) -> tensor<64x256x!x> {
  %c = arith.constant dense<3> : tensor<256x512xi8>
  %w = quant.scast %c : tensor<256x512xi8> to tensor<256x512x!w>
  %a = a2q.matmul %x, %w : tensor<64x512x!x>, tensor<256x512x!w> -> tensor<64x256x!a2q.acc<32>>
  %y = a2q.requantize %a multiplier dense<0.001> : tensor<1xf32> : tensor<64x256x!a2q.acc<32>> to tensor<64x256x!x>
  return %y : tensor<64x256x!x>
}
