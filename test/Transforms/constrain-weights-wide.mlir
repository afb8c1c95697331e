// RUN: a2q-opt %s -a2q-constrain-weights=width=32 | FileCheck %s
// RUN: a2q-opt %s -a2q-constrain-weights=width=40 | FileCheck %s

// Sums are in [0, 12] and have mean 3.5, which is to be 7.5 units of 0.05: the
// bias takes 4 more. There is room for it in 32 bits, however wide the
// accumulator may be.
!x = !quant.uniform<u8<0:3>:f32, 0.1:1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
#all = affine_map<(d0, d1) -> (d0, d1)>
#channel = affine_map<(d0, d1) -> (d1)>
#moments = #a2q.moments<samples = 4, mean = dense<[[1.0, 0.5]]> : tensor<1x2xf64>, products = dense<[[[2.0, 0.5], [0.5, 0.5]]]> : tensor<1x2x2xf64>, sum_mean = dense<0.375> : tensor<1xf64>, sum_variance = dense<0.023125> : tensor<1xf64>>

// CHECK-LABEL: @room
// CHECK: %[[BIAS:.*]] = arith.constant dense<100> : tensor<1xi32>
// CHECK: ins(%{{.*}}, %{{.*}}, %[[BIAS]] :
func.func @room(%x: tensor<1x2x!x>) -> tensor<1x1xf32> {
  %scale = arith.constant dense<0.125> : tensor<1xf32>
  %bias = arith.constant dense<96> : tensor<1xi32>
  %c = arith.constant dense<[[3, 1]]> : tensor<1x2xi8>
  %w = quant.scast %c : tensor<1x2xi8> to tensor<1x2x!w>
  %s = a2q.matmul %x, %w {a2q.moments = #moments} : tensor<1x2x!x>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<32>>
  %d = a2q.decode %s : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  %e = tensor.empty() : tensor<1x1xf32>
  %f = linalg.generic {indexing_maps = [#all, #channel, #channel, #all], iterator_types = ["parallel", "parallel"]}
      ins(%d, %scale, %bias : tensor<1x1xi32>, tensor<1xf32>, tensor<1xi32>) outs(%e : tensor<1x1xf32>) {
  ^bb0(%sum: i32, %k: f32, %b: i32, %out: f32):
    %0 = arith.addi %sum, %b : i32
    %1 = arith.sitofp %0 : i32 to f32
    %2 = arith.mulf %1, %k : f32
    linalg.yield %2 : f32
  } -> tensor<1x1xf32>
  return %f : tensor<1x1xf32>
}
