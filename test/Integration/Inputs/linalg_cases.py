# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The programs of linalg that plain.py runs; each says why it is there."""

import numpy as np
import tosa_spec as spec
from plain import Case, text

RANDOM = np.random.default_rng(12)


def codes(*shape, kind="i8"):
    lo, hi = spec.limits(kind)
    return RANDOM.integers(lo, hi + 1, shape)


def scalar(case, number):
    return case.raw(f"arith.constant {number} : i32", "i32")


def constant(case, array, kind):
    array = np.asarray(array)
    shown = text(array.shape, kind)
    values = str(array.tolist()) if array.size > 1 else str(array.reshape(-1)[0].item())
    return case.raw(f"arith.constant dense<{values}> : {shown}", shown)


def structured(case, op, inputs, init, attributes=""):
    """The named op on these inputs and this initial value."""
    names = ", ".join(name for name, _ in inputs)
    kinds = ", ".join(kind for _, kind in inputs)
    return case.raw(f"linalg.{op} {attributes} ins({names} : {kinds}) "
                    f"outs({init[0]} : {init[1]}) -> {init[1]}", init[1])


def generic(case, maps, iterators, inputs, init, body):
    names = ", ".join(name for name, _ in inputs)
    kinds = ", ".join(kind for _, kind in inputs)
    elements = [kind.rstrip(">").split("x")[-1] for _, kind in [*inputs, init]]
    args = ", ".join(f"%a{i}: {element}" for i, element in enumerate(elements))
    quoted = ", ".join(f'"{iterator}"' for iterator in iterators)
    return case.raw(
        f"linalg.generic {{indexing_maps = [{', '.join(f'affine_map<{m}>' for m in maps)}], "
        f"iterator_types = [{quoted}]}} ins({names} : {kinds}) outs({init[0]} : {init[1]}) {{\n"
        f"  ^bb0({args}):\n    " + "\n    ".join(body) + f"\n  }} -> {init[1]}", init[1])


def body(extensions=("extsi", "extsi"), element="i32"):
    return [f"%l = arith.{extensions[0]} %a0 : i8 to {element}",
            f"%r = arith.{extensions[1]} %a1 : i8 to {element}",
            f"%p = arith.muli %l, %r : {element}", f"%s = arith.addi %a2, %p : {element}",
            f"linalg.yield %s : {element}"]


def zeros(case, shape, kind="i32"):
    return constant(case, np.zeros(shape, np.int64), kind)


def matrices():
    x, w = codes(5, 40), codes(40, 7)
    # Initial values, on top of which the sums come.
    case = Case("matmul")
    start = RANDOM.integers(-1000, 1000, (5, 7))
    out = structured(case, "matmul", [case.input(x, "i8"), constant(case, w, "i8")],
                     constant(case, start, "i32"))
    case.output(out, x @ w + start, "i32")
    yield case
    case = Case("quantized-matmul")
    out = structured(case, "quantized_matmul",
                     [case.input(x, "i8"), constant(case, w, "i8"), scalar(case, -128),
                      scalar(case, 3)], zeros(case, (5, 7)))
    case.output(out, spec.matmul(x, w, -128, 3), "i32")
    yield case
    # Weights first, as whoever multiplies from the left writes it.
    case = Case("weights-first")
    out = structured(case, "matmul", [constant(case, w.T, "i8"), case.input(x.T, "i8")],
                     zeros(case, (7, 5)))
    case.output(out, w.T @ x.T, "i32")
    yield case
    case = Case("matvec")
    out = structured(case, "matvec", [constant(case, w.T, "i8"), case.input(x[0], "i8")],
                     zeros(case, (7,)))
    case.output(out, w.T @ x[0], "i32")
    yield case
    # A result of 16 bits wraps.
    case = Case("narrow-result")
    out = structured(case, "matmul", [case.input(x, "i8"), constant(case, w, "i8")],
                     zeros(case, (5, 7), "i16"))
    case.output(out, (x @ w).astype(np.int16), "i16")
    yield case


def batches():
    a, b = codes(2, 5, 33), codes(2, 33, 6)
    case = Case("batch-matmul")
    out = structured(case, "batch_matmul", [case.input(a, "i8"), case.input(b, "i8")],
                     zeros(case, (2, 5, 6)))
    case.output(out, a @ b, "i32")
    yield case
    case = Case("quantized-batch-matmul")
    out = structured(case, "quantized_batch_matmul",
                     [case.input(a, "i8"), case.input(b, "i8"), scalar(case, -7),
                      scalar(case, 12)], zeros(case, (2, 5, 6)))
    case.output(out, spec.matmul(a, b, -7, 12), "i32")
    yield case
    # Weights of each batch, which are constants all the same.
    case = Case("batch-weights")
    out = structured(case, "batch_matmul", [case.input(a, "i8"), constant(case, b, "i8")],
                     zeros(case, (2, 5, 6)))
    case.output(out, a @ b, "i32")
    yield case


def contractions():
    # Two dimensions of rows, two that are summed over, two of channels, in odd orders.
    x, w = codes(3, 4, 2, 5), codes(5, 6, 4, 2)
    case = Case("contraction")
    maps = ["(a, b, c, d, k, l) -> (a, k, b, l)", "(a, b, c, d, k, l) -> (l, c, k, d)",
            "(a, b, c, d, k, l) -> (c, a, d, b)"]
    out = generic(case, maps, ["parallel"] * 4 + ["reduction"] * 2,
                  [case.input(x, "i8"), constant(case, w, "i8")], zeros(case, (6, 3, 2, 2)), body())
    case.output(out, np.einsum("akbl,lckd->cadb", x, w), "i32")
    yield case
    # Codes without a sign, and weights that have one; then the other way round.
    for extensions in (("extui", "extsi"), ("extsi", "extui")):
        case = Case(f"signs-{extensions[0]}")
        x, w = codes(4, 9), codes(5, 9)
        maps = ["(m, n, k) -> (m, k)", "(m, n, k) -> (n, k)", "(m, n, k) -> (m, n)"]
        out = generic(case, maps, ["parallel", "parallel", "reduction"],
                      [case.input(x, "i8"), constant(case, w, "i8")], zeros(case, (4, 5)),
                      body(extensions))
        sides = [data & 255 if extension == "extui" else data
                 for data, extension in zip((x, w), extensions)]
        case.output(out, sides[0] @ sides[1].T, "i32")
        yield case


def images():
    x, w = codes(1, 9, 8, 6), codes(3, 2, 6, 5)  # NHWC, HWCF
    moves = "{dilations = dense<[2, 1]> : tensor<2xi64>, strides = dense<[1, 2]> : tensor<2xi64>}"
    settings = ([0] * 4, (1, 2), (2, 1))
    filters = w.transpose(3, 0, 1, 2)
    sums = spec.conv2d(x, filters, [0], 0, 0, *settings)
    case = Case("nhwc-hwcf")
    out = structured(case, "conv_2d_nhwc_hwcf", [case.input(x, "i8"), constant(case, w, "i8")],
                     zeros(case, sums.shape), moves)
    case.output(out, sums, "i32")
    yield case
    case = Case("nhwc-hwcf-q")
    want = spec.conv2d(x, filters, [0], -128, 2, *settings)
    out = structured(case, "conv_2d_nhwc_hwcf_q",
                     [case.input(x, "i8"), constant(case, w, "i8"), scalar(case, -128),
                      scalar(case, 2)], zeros(case, sums.shape), moves)
    case.output(out, want, "i32")
    yield case
    # Channels first, padded with the zero point, more than the windows reach.
    case = Case("nchw-fchw-q-padded")
    nchw = x.transpose(0, 3, 1, 2)
    padded = spec.conv2d(x, filters, [0], -3, 0, [2, 1, 1, 2], (1, 2), (2, 1))
    image, kind = case.input(nchw, "i8")
    shape = text((1, 6, 12, 11), "i8")
    zero = case.raw("arith.constant -3 : i8", "i8")
    pad = case.raw(f"tensor.pad {image} low[0, 0, 2, 1] high[0, 0, 1, 2] {{\n"
                   "  ^bb0(%i: index, %j: index, %k: index, %l: index):\n"
                   f"    tensor.yield {zero[0]} : i8\n  }} : {kind} to {shape}", shape)
    out = structured(case, "conv_2d_nchw_fchw_q",
                     [pad, constant(case, filters.transpose(0, 3, 1, 2), "i8"), scalar(case, -3),
                      scalar(case, 0)], zeros(case, (1, 5, *padded.shape[1:3])), moves)
    case.output(out, padded.transpose(0, 3, 1, 2), "i32")
    yield case
    # A bias for each channel as the initial value.
    case = Case("nchw-fchw-bias")
    bias = RANDOM.integers(-99, 99, 5)
    start = np.broadcast_to(bias[None, :, None, None], (1, 5, *sums.shape[1:3]))
    out = structured(case, "conv_2d_nchw_fchw",
                     [case.input(nchw, "i8"), constant(case, filters.transpose(0, 3, 1, 2), "i8")],
                     constant(case, start, "i32"), moves)
    case.output(out, (sums + bias).transpose(0, 3, 1, 2), "i32")
    yield case


def grouped():
    moves = "{dilations = dense<1> : tensor<2xi64>, strides = dense<[2, 1]> : tensor<2xi64>}"
    settings = ([0] * 4, (2, 1), (1, 1))
    x = codes(1, 7, 6, 4)
    for multiplier in (1, 3):
        w = codes(3, 2, 4, multiplier)
        sums = spec.depthwise(x, w, [0], -4, 1, *settings)
        case = Case(f"depthwise-{multiplier}")
        shape = sums.shape if multiplier == 1 else (*sums.shape[:3], 4, 3)
        data = w[..., 0] if multiplier == 1 else w
        op = "depthwise_conv_2d_nhwc_hwc" + ("_q" if multiplier == 1 else "m_q")
        out = structured(case, op, [case.input(x, "i8"), constant(case, data, "i8"),
                                    scalar(case, -4), scalar(case, 1)], zeros(case, shape), moves)
        case.output(out, sums.reshape(shape), "i32")
        yield case
    # [n, group, channel, h, w] and [group, out, channel, h, w].
    case = Case("groups")
    w = codes(2, 5, 2, 3, 2)
    parts = [spec.conv2d(x[..., 2 * g:2 * g + 2], w[g].transpose(0, 2, 3, 1), [0], 0, 0, *settings)
             for g in range(2)]
    want = np.stack([part.transpose(0, 3, 1, 2) for part in parts], 1)
    image = x.reshape(1, 7, 6, 2, 2).transpose(0, 3, 4, 1, 2)
    out = structured(case, "conv_2d_ngchw_gfchw", [case.input(image, "i8"),
                                                   constant(case, w, "i8")],
                     zeros(case, want.shape), moves)
    case.output(out, want, "i32")
    yield case
    # One dimension, and an image that is longer than the windows reach.
    case = Case("line")
    x1, w1 = codes(2, 12, 3), codes(4, 3, 6)
    sums = spec.conv2d(x1[:, :, None], w1.transpose(2, 0, 1)[:, :, None], [0], 0, 0, [0] * 4,
                       (3, 1), (1, 1))[:, :, 0]
    out = structured(case, "conv_1d_nwc_wcf", [case.input(x1, "i8"), constant(case, w1, "i8")],
                     zeros(case, sums.shape),
                     "{dilations = dense<1> : tensor<1xi64>, strides = dense<3> : tensor<1xi64>}")
    case.output(out, sums, "i32")
    yield case


def cases():
    for group in (matrices, batches, contractions, images, grouped):
        yield from group()
