// RUN: a2q-opt %s -a2q-constrain-weights='width=4 method=optimal' | FileCheck %s

// A scale that other terms read cannot follow weights: the codes alone change,
// no type and no constant of the reader.
!x = !quant.uniform<u8<0:3>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
#all = affine_map<(d0, d1) -> (d0, d1)>
#channel = affine_map<(d0, d1) -> (d1)>

// CHECK-LABEL: @two_sums
// CHECK-DAG: %[[SCALE:.*]] = arith.constant dense<5.000000e-02> : tensor<1xf32>
// CHECK-DAG: quant.scast %{{.*}} : tensor<1x2xi8> to tensor<1x2x!quant.uniform<i8<-7:7>:f32, 5.000000e-01>>
// CHECK: linalg.generic
// CHECK-SAME: ins(%{{.*}}, %{{.*}}, %[[SCALE]] :
func.func @two_sums(%x: tensor<1x2x!x>, %y: tensor<1x2x!x>) -> tensor<1x1xf32> {
  %scale = arith.constant dense<0.05> : tensor<1xf32>
  %c = arith.constant dense<[[7, 5]]> : tensor<1x2xi8>
  %w = quant.scast %c : tensor<1x2xi8> to tensor<1x2x!w>
  %c2 = arith.constant dense<[[1, 1]]> : tensor<1x2xi8>
  %w2 = quant.scast %c2 : tensor<1x2xi8> to tensor<1x2x!w>
  %s = a2q.matmul %x, %w : tensor<1x2x!x>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<32>>
  %t = a2q.matmul %y, %w2 : tensor<1x2x!x>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<32>>
  %d = a2q.decode %s : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  %e = a2q.decode %t : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  %o = tensor.empty() : tensor<1x1xf32>
  %r = linalg.generic {indexing_maps = [#all, #all, #channel, #all], iterator_types = ["parallel", "parallel"]}
      ins(%d, %e, %scale : tensor<1x1xi32>, tensor<1x1xi32>, tensor<1xf32>) outs(%o : tensor<1x1xf32>) {
  ^bb0(%a: i32, %b: i32, %q: f32, %z: f32):
    %fa = arith.sitofp %a : i32 to f32
    %fb = arith.sitofp %b : i32 to f32
    %ma = arith.mulf %fa, %q : f32
    %mb = arith.mulf %fb, %q : f32
    %m = arith.addf %ma, %mb : f32
    linalg.yield %m : f32
  } -> tensor<1x1xf32>
  return %r : tensor<1x1xf32>
}

// CHECK-LABEL: @also_bias
// CHECK-DAG: %[[SCALE:.*]] = arith.constant dense<5.000000e-02> : tensor<1xf32>
// CHECK-DAG: quant.scast %{{.*}} : tensor<1x2xi8> to tensor<1x2x!quant.uniform<i8<-7:7>:f32, 5.000000e-01>>
// CHECK: linalg.generic
// CHECK-SAME: ins(%{{.*}}, %[[SCALE]] :
func.func @also_bias(%x: tensor<1x2x!x>) -> tensor<1x1xf32> {
  %scale = arith.constant dense<0.05> : tensor<1xf32>
  %c = arith.constant dense<[[7, 5]]> : tensor<1x2xi8>
  %w = quant.scast %c : tensor<1x2xi8> to tensor<1x2x!w>
  %s = a2q.matmul %x, %w : tensor<1x2x!x>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<32>>
  %d = a2q.decode %s : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  %o = tensor.empty() : tensor<1x1xf32>
  %r = linalg.generic {indexing_maps = [#all, #channel, #all], iterator_types = ["parallel", "parallel"]}
      ins(%d, %scale : tensor<1x1xi32>, tensor<1xf32>) outs(%o : tensor<1x1xf32>) {
  ^bb0(%a: i32, %q: f32, %z: f32):
    %fa = arith.sitofp %a : i32 to f32
    %ma = arith.mulf %fa, %q : f32
    %m = arith.addf %ma, %q : f32
    linalg.yield %m : f32
  } -> tensor<1x1xf32>
  return %r : tensor<1x1xf32>
}
