//===- Passes.td - Passes of a2q/Transforms
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_TRANSFORMS_PASSES_TD
#define A2Q_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

// Passes in alphabetical order.

def A2QApproximateMath : Pass<"a2q-approximate-math"> {
  let summary = "Compute exp, tanh and their like without a library";
  let description = [{
    Functions of `math` become polynomials and arithmetic on f32, within a few
    units in the last place of what a mathematical library gives. Programs then
    call no library for them, and loops over them become vectors.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::math::MathDialect", "::mlir::vector::VectorDialect"];
}

def A2QConstrainWeights : Pass<"a2q-constrain-weights", "::mlir::ModuleOp"> {
  let summary = "Change weights so that dot products fit a width";
  let description = [{
    Every channel whose products do not fit accumulators of `width` bits gets new
    weights from `method`; a channel that fits keeps its weights. Without `tile`
    one accumulator takes all K products of a layer, and its type becomes
    `!a2q.acc<width>`. With `tile=T` an accumulator takes T products, the last
    one of a layer what is left, and hands its sum to an outer accumulator of
    the width that is proven for it: `!a2q.acc<8 x 144, 13>`. Each tile has a
    budget of its own. A layer of at most T products, or whose whole sums fit
    `width` bits anyway, has one accumulator.

    Then each layer has been proven again from the integers that are in the
    module: no method is trusted. Accumulators begin at 0, except with
    `bound=centred`: there one that fits from its centre only has a start in the
    schedule. An error leaves the module as it was.

    This changes what the model computes. `a2q-stage-accumulators` does not.

    - Weights are constants behind `quant.scast`. Ops that share a constant are
      given one each, since they may read different ranges. Products of two
      activations (attention) have no weights: they keep their accumulators, and
      a note says so; an attribute `a2q.constrain` on them is an error.
    - Budgets are of one range for all terms. Where the proof knows more, ranges
      of each input or a fact of all of them (LayerNorm, softmax), the method is
      called with smaller ranges for as long as the proof admits its weights;
      with the bounds `a2q` and `a2q-plus` it is not.
    - The scale of the weights stays, except with `optimal`, `gpfq`, `optq` and
      `top-b`, and with any method where the variance of sums is brought back
      (see below). The weights become quantized per channel then, and what reads
      the sums follows: the bias and the f32 multiplier of `a2q.requantize`, or
      the constants of a `linalg.generic` that computes
      `float(sum + bias) * scale + real bias` from decoded sums, if no other
      term reads them. Where sums are read by anything else or begin at an initial
      value, the scale stays and the `-fixed-scale` method stands in; `top-b` has
      none and is refused.
    - When the activations have a zero point z, the correction `-z * sum(q)` in
      the same biases follows the weights. Sums that are read by anything else
      are refused then: what corrects them is not known.
    - An initial value is in the proof, not in the budget.
    - A channel of zeros stays one. A width that admits no weight of a channel,
      of the signs that they have, is an error that names all such channels and
      the smallest width that does; where a method leaves a channel without
      weights nevertheless, a warning says so.

    With the attribute `a2q.moments` on a layer, `optimal`,
    `optimal-fixed-scale` and `top-b` weigh errors by the mean square of each
    input; `gpfq` and `optq` need the attribute, with all products. Channels
    that changed get back the mean and the variance that their sums had; with
    `sum_mean` and `sum_variance` all channels get what these ask for, and both
    leave the attribute, so that a second run does not correct again. The bias
    takes the shift and the scale the factor. Where only the bias can follow, as
    with a multiplier in fixed point, the mean alone is brought back; where
    nothing can, neither is.

    Moments of fewer than two samples for each weight of a channel are damped by
    a tenth of their mean diagonal, others by a hundredth.

    method | integers | bounds, the default first
    --- | --- | ---
    `a2q` | divided by their norm, truncated (arXiv 2308.13504) | a2q, centred
    `a2q-plus` | mean removed before and after the projection, truncated (arXiv 2401.10432) | a2q-plus
    `ep-init` | projected onto the l1 ball, truncated (arXiv 2401.10432) | a2q, centred
    `project` | projected onto the budget, rounded to nearest | centred, exact, a2q, a2q-plus
    `optimal-fixed-scale` | the nearest integers of the budget | as `project`
    `optimal` | the nearest integers with the best scale | as `project`
    `top-b` | the largest weights as 1 and -1 with the best scale | as `project`
    `gpfq`, `gpfq-fixed-scale` | greedy path following within the budget (arXiv 2409.17092), with the best or the old scale | as `project`
    `optq`, `optq-fixed-scale` | nearest plane within the budget (arXiv 2409.17092), with the best or the old scale | as `project`

    Published methods have their published bound first, the others the one with
    the largest budget.

    A layer can have its own constraint, over that of the options: the attribute
    `a2q.constrain = {width = 12, method = "a2q-plus"}`, any subset of `width`,
    `tile`, `method` and `bound`, or `skip`, and over both the file `overrides`,
    a JSON object of such objects by the layer names of the report. What they
    leave out is as the options have it, whose `width` is 16 by default; only
    a2q-quantize without `--constrain` needs a width for each. `tile = 0`
    asks for one accumulator, `skip` leaves a layer as it is: an error if its
    accumulator does not hold what the layers before it give it now.
  }];
  let options = [
    Option<"width", "width", "unsigned", "16", "bits of the accumulator">,
    Option<"tile", "tile", "int64_t", "0",
           "products that share an accumulator; 0 for all of them">,
    Option<"method", "method", "std::string", "\"optimal\"",
           "which integers to choose">,
    Option<"bound", "bound", "std::string", "\"\"",
           "the guarantee, one of the method's; empty for its first">,
    Option<"overridesFile", "overrides", "std::string", "\"\"",
           "a JSON file of constraints by layer">];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::quant::QuantDialect"];
}

def A2QEmitCEntry : Pass<"a2q-emit-c-entry", "::mlir::ModuleOp"> {
  let summary = "Give a lowered module the functions that C programs call";
  let description = [{
    On LLVM functions whose buffers are arguments:

    ```c
    size_t <prefix>_workspace_size(void);
    int <prefix>_run(const void *const *inputs, void *const *outputs,
                     void *workspace);
    ```

    The workspace may have any address: its size includes room to align it.
    The program itself becomes internal. Inputs, outputs and workspace must not
    overlap, and the program is told so.

    `<prefix>_run` returns, in this order, 1 where the processor or its operating
    system lacks one of `features`, 2 where an array is null, or a workspace that
    is needed, 3 where an array begins in the middle of an element, else 0. With
    features it is code for every x86-64 processor, and asks in the first call.
  }];
  let options = [
    Option<"prefix", "prefix", "std::string", "\"model\"",
           "what the names of the functions begin with">,
    ListOption<"features", "features", "std::string",
               "LLVM's names of the processor features that the code uses">];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

def A2QEqualize : Pass<"a2q-equalize", "::mlir::ModuleOp"> {
  let summary = "Equalize the ranges of weights across float layers";
  let description = [{
    Cross-layer equalization (Nagel et al. 2019, arXiv 1906.04721, section 4.1).
    For each channel i between a layer and those that read it,

    ```
    s_i = sqrt(r1_i / r2_i)          r1, r2: largest absolute weight of channel i
    W1[i, :] /= s_i    b1[i] /= s_i    W2[:, i] *= s_i
    ```

    after which both ranges are sqrt(r1_i * r2_i). Layers in the middle belong to
    two pairs; pairs are visited until scales are within 0.1 % of 1, or
    `iterations` times. In real numbers the network computes what it did, in f32
    but for rounding. Channels of one tensor then differ less, which helps weights
    quantized with one scale, and a range rule for the activations between.

    - Layers are those of `a2q-quantize-layers`, depthwise convolutions too. The
      range r2 is that of all layers that read the channel.
    - Between them, every operation must scale with its input by positive
      numbers, channel for channel: a `tosa.clamp` that is a Relu (bounds at 0 or
      infinity), max and average pooling, products with constants, reshapes that
      keep channels together (an image flattened with its channels last), padding
      with 0, and sums, differences, maxima and minima of two values that both
      follow from the first layer (a leaky Relu). Anything else, a Relu6, a
      residual sum or a result of the function, leaves the pair as it is, and a
      remark says what it was.
    - A channel with no weight other than 0 on one side stays.
    - Weights that several layers share are copied where they change.
    - Run `a2q-fold-affine` first: a summand between layers is not homogeneous.
    - Weights or biases that are not finite are an error, and then the module is
      as it was.
  }];
  let options = [
    Option<"iterations", "iterations", "unsigned", "100",
           "how often pairs are visited at most">];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect",
    "::mlir::tosa::TosaDialect"];
}

def A2QFoldAffine : Pass<"a2q-fold-affine", "::mlir::ModuleOp"> {
  let summary = "Fold factors and summands per channel into float layers";
  let description = [{
    A `tosa.mul`, `tosa.add` or `tosa.sub` of a layer's sums and a constant, one
    number per channel or one for all, becomes part of the layer's weights and
    bias: what is left of a batch normalization.

    ```
    a[c] * (sum over k of x[k] * w[c, k] + b[c]) + d[c]
      = sum over k of x[k] * (a[c] * w[c, k]) + (a[c] * b[c] + d[c])
    ```

    Each new weight is computed in float64 and rounded to f32 once.

    - Nothing else may read the sums: they are not there afterwards. Reshapes
      between the layer and the operation must leave the channels alone.
    - Several in a row are folded one after the other.
    - Weights and biases that several layers share are copied.
    - Where a weight or bias would not be finite, the operation stays and a
      remark says so.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect",
    "::mlir::tosa::TosaDialect"];
}

def A2QInferAccumulators : Pass<"a2q-infer-accumulators", "::mlir::ModuleOp"> {
  let summary = "Give each accumulator the narrowest width that is proven";
  let description = [{
    Each a2q op that accumulates gets the narrowest `!a2q.acc` type that `bound`
    guarantees for its worst channel, from the weights and ranges that are in
    the module. Padding, zero points and initial values are in the proof,
    whatever the bound: a bound that speaks of weights only is raised to what is
    proven of the sum with its initial value.

    - `datatype`: the reduction length and the types of the codes.
    - `a2q`: the l1 norm of the weights (arXiv 2308.13504).
    - `a2q-plus`: the norms of the positive and of the negative weights (arXiv
      2401.10432).
    - `exact` (default): the interval of the sum itself. Any order of terms and
      any splitting of them stays in it, so this needs no schedule.
    - `centred`: the span of that interval. The schedule gets the starts that
      make the type true, in those channels that do not fit from 0.

    An op with tiles keeps its schedule, and each stage gets the width that is
    proven of it; a looser bound widens the outermost stage only. A type with
    `wrap` keeps it and gets final widths. An op of `linalg` or `tosa` keeps its
    type: narrowing it is another pass's work.

    All ops with constant weights get the attribute `a2q.channels`: figures per
    channel, for the whole reduction and without initial value. They are
    `array<i64>` for up to 64 channels and elements in a resource beyond, keyed
    `l1`, `pos`, `neg`, `final_width`, `prefix_width`, `centred_width`.

    An op of which too little is known keeps its type, and a remark says why. A
    width beyond 64 bits is an error.
  }];
  let options = [Option<"bound", "bound", "std::string", "\"exact\"",
    "what guarantees the width: datatype, a2q, a2q-plus, exact or centred">];
}

def A2QInferRanges : Pass<"a2q-infer-ranges", "::mlir::ModuleOp"> {
  let summary = "Write down the ranges that are proven";
  let description = [{
    Every op with one result that is a tensor of codes, sums or integers gets the
    attribute `a2q.range`:

    ```
    a2q.range = [lo, hi]
    a2q.range = {axis = 3, lo = array<i64: 0, 0>, hi = array<i64: 7, 15>}
    ```

    The second form has a range per index along `axis`; it is used up to 64
    indices, and their join beyond. Constants carry none. Signless integers are
    given as signed. The attribute informs a reader: analyses compute their own
    and read it on arguments of functions only, where it is trusted.
  }];
}

def A2QNarrowLinalg : Pass<"a2q-narrow-linalg", "::mlir::ModuleOp"> {
  let summary = "Narrow the accumulators of plain linalg ops where proven";
  let description = [{
    An integer `linalg` op whose weights are constants gets the narrowest
    machine integer (8, 16, 32 bits) in which no partial sum can overflow, in
    whatever order it is computed; its result is sign-extended back. Upstream IR
    in, upstream IR out: no type or op of this project is needed before or
    after.

    ```mlir
    %y = linalg.matmul ins(%x, %w : tensor<1x64xi8>, tensor<64x8xi8>)
                       outs(%zero32 : tensor<1x8xi32>) -> tensor<1x8xi32>
    ```

    with small enough weights becomes

    ```mlir
    %0 = linalg.matmul ins(%x, %w : tensor<1x64xi8>, tensor<64x8xi8>)
                       outs(%zero16 : tensor<1x8xi16>) -> tensor<1x8xi16>
    %y = arith.extsi %0 : tensor<1x8xi16> to tensor<1x8xi32>
    ```

    Preconditions, each a remark where it does not hold:

    - Weights are constants: without them the proof is about types alone, and
      that width is what the op has.
    - Ranges of activations come from their types, from the ops that make them,
      and from `a2q.range` on arguments.
    - The initial value (`outs`) is zero, a constant, or has a range: it is a
      term of the sum.
    - Zero points that the op subtracts are constants.

    The proof is the `exact` bound, all partial sums. Wrapping arithmetic would
    be content with the final sums, but nothing says that what comes later
    keeps to wrapping arithmetic.
  }];
  let dependentDialects = ["::a2q::A2QDialect", "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def A2QPlanWorkspace : Pass<"a2q-plan-workspace", "::mlir::ModuleOp"> {
  let summary = "Place all buffers in one workspace that the caller provides";
  let description = [{
    The entry gets one more argument, `memref<Nxi8>`. Every allocation becomes
    a view of it at an offset that is a multiple of 64; buffers that are never
    alive together may share their place. A program so planned calls no
    allocator and can run in several threads, each with its workspace.

    Preconditions:

    - All calls are inlined, and the entry is one block: lifetimes are counted
      in its operations.
    - Allocations have static shapes.
    - `a2q-prepare-entry` noted how many arguments are inputs; results are
      written to the arguments after them (`buffer-results-to-out-params`).
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::memref::MemRefDialect"];
}

def A2QPrepareEntry : Pass<"a2q-prepare-entry", "::mlir::ModuleOp"> {
  let summary = "Check the function that programs call";
  let description = [{
    A program has one public function. It takes and returns tensors of static
    shape that are not empty. Its arguments become read-only for bufferization,
    since they are the caller's, and their number is noted on the function.
  }];
  let dependentDialects = ["::mlir::bufferization::BufferizationDialect"];
}

def A2QQuantizeLayers : Pass<"a2q-quantize-layers", "::mlir::ModuleOp"> {
  let summary = "Turn float layers into sums of codes";
  let description = [{
    A convolution or matrix product in f32 (`tosa` or `linalg`) with constant
    weights and the attribute `a2q.activation`, the type of its input's codes,
    becomes `a2q.conv_2d` or `a2q.matmul`. `a2q.weight_bits` on a layer
    takes the place of `weight-bits`. All else stays in float; a remark says which
    layers do, and why.

    ```mlir
    %y = tosa.conv2d %x, %w, %b, %z, %z {
        a2q.activation = !quant.uniform<u8<0:15>:f32, 0.1>,
        a2q.weight_bits = 4 : i64, ...}
    ```

    In real numbers, with the activation's scale s_x and zero point z, and per
    output channel the scale s_w and the integers q of its weights:

    ```
    code = clamp(round(x / s_x) + z, lo, hi)              a2q.quantize
    sum  = sum over k of code[k] * q[k]                   exact
    bias = round(b / (s_x * s_w)) - z * sum over k of q[k]
    y    = float32(sum + bias) * float32(s_x * s_w)       reals are wanted, or
    code = clamp(round(float32(sum + bias) * float32(s_x * s_w / s_y)) + z_y)
    ```

    The first y is `a2q.decode` and a `linalg.generic`; the second is
    `a2q.requantize`, where all that reads the layer wants codes. Scales are
    float32; factors are computed in float64 and rounded to float32 once; each
    operation above on float32 rounds once, to nearest even, and `round` takes
    ties to even.

    - q are the integers from -(2^(M-1) - 1) to 2^(M-1) - 1 and s_w the scale of
      least squared error of the channel's weights. Symmetric, because the a2q ops
      have weights of zero point 0.
    - s_w is at least |b| / (s_x * 2^30) and 2^-100 / s_x, so that the bias and
      all factors fit their types: beside them, weights that small are 0. A
      channel of zeros has zeros and the scale 1, or |b| / (s_x * 2^20) where it
      has a bias.
    - Quantization is monotone, so it changes places with clamps, minima with
      constants that all codes stay below, max pooling, reshapes, transposes,
      slices, concatenations, and padding with a constant, as long as nothing else
      reads their reals: they then work on codes. A clamp becomes the storage
      range of the type, and the proof of the next layer knows it. A value is
      quantized once for each type that is wanted of it. (NaN is the one value for
      which the order shows: a code cannot say it.)
    - Padding of a convolution is the code z, exactly 0.
    - Other attributes `a2q.*` of a layer go with it.
    - Weights that are not finite, an activation type that is not one of at most
      16 bits for a whole tensor, weights of fewer than 2 or more than 8 bits
      and a bias that leaves i32 are errors, and then the module is as it was.
  }];
  let options = [
    Option<"weightBits", "weight-bits", "unsigned", "8",
           "bits of weights, from 2 to 8">];
  let dependentDialects = ["::a2q::A2QDialect", "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::quant::QuantDialect",
    "::mlir::tensor::TensorDialect"];
}

def A2QReportAccumulators : Pass<"a2q-report-accumulators", "::mlir::ModuleOp"> {
  let summary = "Report the accumulators of a module";
  let description = [{
    For each accumulating op the width that each bound asks for, its accumulator
    and spills, and figures per channel. Without `file` a remark per layer; with
    it JSON as docs/report.schema.json says, or a page that shows it where the name
    ends in .html, written completely or not at all.
    A layer's name is that of its location. The module stays as it is.
  }];
  let options = [
    Option<"file", "file", "std::string", "\"\"",
           "file to write, ending in .json or .html; - is standard output">];
}

def A2QSeparateResults : Pass<"a2q-separate-results", "::mlir::ModuleOp"> {
  let summary = "Return each value of the entry once";
  let description = [{
    A program writes each result to a buffer of its own. A value that the entry
    returns several times is copied for all but the first: upstream's
    `buffer-results-to-out-params` gives a buffer away once, and crashes
    at the second time.
  }];
  let dependentDialects = ["::mlir::bufferization::BufferizationDialect"];
}

def A2QShareLoops : Pass<"a2q-share-loops", "::mlir::func::FuncOp"> {
  let summary = "Share the trips of kernels' loops among threads";
  let description = [{
    Loops with the attribute `a2q.parallel` become `scf.parallel`, and from there
    OpenMP's, where they have work for several threads; of a nest the outermost
    one whose trips suit the number of threads. Every element is computed by the
    same operations in the same order as without threads, so results do not
    depend on their number.

    Preconditions:

    - Tensors are buffers, and the loops carry none of them.
    - The workspace is not planned: a loop that allocates is not shared, because
      a planned buffer is one for all trips.
  }];
  let options = [
    Option<"threads", "threads", "unsigned", "1", "how many threads">];
  let dependentDialects = ["::mlir::scf::SCFDialect"];
}

def A2QStageAccumulators : Pass<"a2q-stage-accumulators", "::mlir::ModuleOp"> {
  let summary = "Split accumulators into stages that fit narrow registers";
  let description = [{
    Each a2q op gets a schedule whose inner tiles are as long as the proof
    allows for accumulators of `inner` bits, and an accumulator type with the
    widths that were proven. The sums do not change, whatever the input. An op
    whose whole dot product fits gets one stage.

    A tile's accumulator begins at its centring start only where that saves
    tiles. The order of terms in an op's schedule is kept.

    A layer with a product that does not fit `inner` bits alone takes the next
    wider of 8, 16, 32 and 64; a remark and the report say so.

    - The weights are constants or activations, with ranges that
      `a2q-infer-ranges` can prove.
    - `granularity` puts tile ends on multiples of as many terms, which a kernel
      that takes terms in groups needs (4 for byte quadruples).
    - `linalg` and `tosa` ops cannot hold stages and stay as they are.
  }];
  let options = [
    Option<"inner", "inner", "unsigned", "16",
           "bits of the innermost accumulator">,
    Option<"granularity", "granularity", "int64_t", "1",
           "tile ends are multiples of this, but for the last">];
}

def A2QVectorizeReductions : Pass<"a2q-vectorize-reductions"> {
  let summary = "Keep sums of reals in registers while they are added up";
  let description = [{
    A structured operation on buffers that reduces f32 becomes loops around a
    tile of 4 positions times `lanes` channels (and what is left over of both),
    which is loaded once, added up in vectors and stored once. Channels are the
    last dimension of the result; every operand has them as its last dimension,
    contiguous in memory, or not at all. Elementwise functions with an operand of
    the latter kind are tiled likewise. Other operations stay as they are.

    Every number is added up in the order of the plain loops. The products may be
    fused with the additions, so results can differ from those in the last
    places, and between processors.
  }];
  let options = [
    Option<"lanes", "lanes", "unsigned", "16",
           "channels of a tile, a power of two">];
  let dependentDialects = ["::mlir::affine::AffineDialect",
    "::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect",
    "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"];
}

def A2QVerifyAccumulators : Pass<"a2q-verify-accumulators", "::mlir::ModuleOp"> {
  let summary = "Prove every accumulator type of a module";
  let description = [{
    For every a2q op that accumulates: each physical accumulator of its schedule
    (channel, stage, tile, lane), from its start, with the weights and ranges
    that are in the module now, fits its stage of the type. A type with `wrap`
    promises final values only; all others every partial sum in any order.

    An accumulator that does not fit is an error, and so is one of which too
    little is known.

    So is a `quant.scast` of integers that are not proven to be codes of its
    type: it does not clamp, and all proofs stand on storage ranges.

    - It reads no attribute that another pass left: it may be run alone, on any
      module, and again after each transformation.
  }];
}

def A2QVerifyLowered : Pass<"a2q-verify-lowered"> {
  let summary = "Verify that nothing abstract is left before bufferization";
  let description = [{
    No operation of TOSA, no type of the a2q or the quant dialect, and no tensor
    or memref of integers below 8 bits. One-shot bufferization silently writes invalid memrefs of
    the former; element and vector accesses to the latter disagree.
  }];
}

#endif // A2Q_TRANSFORMS_PASSES_TD
