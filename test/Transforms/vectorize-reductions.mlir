// RUN: a2q-opt %s --a2q-vectorize-reductions=lanes=8 -split-input-file | FileCheck %s
// RUN: not a2q-opt %s --a2q-vectorize-reductions=lanes=12 -split-input-file 2>&1 | FileCheck %s --check-prefix=LANES
// LANES: error: lanes is 12, it is a power of two

// 6 rows are a tile of 4 and one of 2; 11 channels are 8, 2 and 1.
// CHECK-LABEL: @matmul
// CHECK: vector.load %[[Y:.*]][%{{.*}}] : memref<6x11xf32>, vector<8xf32>
// CHECK: scf.for {{.*}} iter_args(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}) -> (vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>)
// CHECK: memref.load
// CHECK: vector.broadcast %{{.*}} : f32 to vector<8xf32>
// CHECK: arith.mulf {{.*}} fastmath<contract> : vector<8xf32>
// CHECK-COUNT-4: vector.store
// CHECK: scf.for {{.*}} vector<2xf32>)
// CHECK-COUNT-4: vector.store
// CHECK: scf.for {{.*}} vector<1xf32>)
// CHECK-COUNT-4: vector.store
// CHECK: scf.for {{.*}} iter_args(%{{.*}}, %{{.*}}) -> (vector<8xf32>, vector<8xf32>)
// CHECK-NOT: linalg.matmul
func.func @matmul(%x: memref<6x3xf32>, %w: memref<3x11xf32>, %y: memref<6x11xf32>) {
  linalg.matmul ins(%x, %w : memref<6x3xf32>, memref<3x11xf32>) outs(%y : memref<6x11xf32>)
  return
}

// -----

// The window's shape is no operand of the body.
// CHECK-LABEL: @pool
// CHECK: arith.maximumf {{.*}} : vector<8xf32>
// CHECK-NOT: linalg
func.func @pool(%x: memref<1x4x4x8xf32>, %k: memref<2x2xf32>, %y: memref<1x3x3x8xf32>) {
  linalg.pooling_nhwc_max ins(%x, %k : memref<1x4x4x8xf32>, memref<2x2xf32>) outs(%y : memref<1x3x3x8xf32>)
  return
}

// -----

// A number for each row, as softmax subtracts; products stay rounded.
// CHECK-LABEL: @broadcast
// CHECK-COUNT-4: memref.load
// CHECK: vector.broadcast
// CHECK: arith.mulf %{{[^f]*}} : vector<8xf32>
// CHECK: math.exp %{{.*}} : vector<8xf32>
// CHECK-COUNT-4: vector.store
// CHECK-NOT: linalg.generic
func.func @broadcast(%x: memref<4x16xf32>, %m: memref<4xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>],
                  iterator_types = ["parallel", "parallel"]}
      ins(%x, %m : memref<4x16xf32>, memref<4xf32>) outs(%x : memref<4x16xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %d = arith.mulf %a, %b : f32
    %e = math.exp %d : f32
    linalg.yield %e : f32
  }
  return
}

// -----

// Without one it is LLVM's.
// CHECK-LABEL: @elementwise
// CHECK: linalg.generic
func.func @elementwise(%x: memref<4x16xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
                  iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<4x16xf32>) outs(%x : memref<4x16xf32>) {
  ^bb0(%a: f32, %c: f32):
    %e = math.exp %a : f32
    linalg.yield %e : f32
  }
  return
}

// -----

// Integers; channels that are not the last dimension of the weights; a
// reduction along what is contiguous.
// CHECK-LABEL: @refused
// CHECK: linalg.matmul
// CHECK: linalg.conv_2d_nhwc_fhwc
// CHECK: linalg.reduce
// CHECK-NOT: vector
func.func @refused(%a: memref<4x4xi32>, %x: memref<1x4x4x2xf32>, %w: memref<8x1x1x2xf32>, %y: memref<1x4x4x8xf32>, %r: memref<1x4x4xf32>) {
  linalg.matmul ins(%a, %a : memref<4x4xi32>, memref<4x4xi32>) outs(%a : memref<4x4xi32>)
  linalg.conv_2d_nhwc_fhwc ins(%x, %w : memref<1x4x4x2xf32>, memref<8x1x1x2xf32>) outs(%y : memref<1x4x4x8xf32>)
  linalg.reduce { arith.addf } ins(%y : memref<1x4x4x8xf32>) outs(%r : memref<1x4x4xf32>) dimensions = [3]
  return
}
