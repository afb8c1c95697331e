# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The programs of TOSA that plain.py runs; each says why it is there.

`kept=False` marks what MLIR's own lowerings refuse.
"""

import numpy as np
import tosa_spec as spec
from plain import Case, text

RANDOM = np.random.default_rng(11)
DOUBLE, SINGLE, INEXACT = "DOUBLE_ROUND", "SINGLE_ROUND", "INEXACT_ROUND"


def codes(*shape, kind="i8"):
    lo, hi = spec.limits(kind)
    return RANDOM.integers(lo, hi + 1, shape)


def factors(count, lowest=33, highest=40):
    """Multipliers as converters make them, 2^30 to 2^31."""
    return (RANDOM.integers(2**30, 2**31, count).tolist(),
            RANDOM.integers(lowest, highest + 1, count).tolist())


def add_rescale(case, value, shape, multipliers, shifts, in_zp=0, out_zp=0, kinds=("i32", "i8"),
                rounding=DOUBLE, scale32=True):
    """Kinds "u8" are signless integers that the op reads as unsigned."""
    signless = [f"i{kind[1:]}" for kind in kinds]
    operands = [value, case.constant(multipliers, "i32" if scale32 else "i16"),
                case.constant(shifts, "i8"),
                case.constant([as_signed(in_zp, kinds[0])], signless[0]),
                case.constant([as_signed(out_zp, kinds[1])], signless[1])]
    bools = [str(flag).lower() for flag in
             (kinds[0][0] == "u", kinds[1][0] == "u", len(multipliers) > 1, scale32)]
    return case.op(
        "tosa.rescale {}, {}, {}, {}, {} "
        f"{{{{input_unsigned = {bools[0]}, output_unsigned = {bools[1]}, "
        f"per_channel = {bools[2]}, rounding_mode = {rounding}, scale32 = {bools[3]}}}}}",
        operands, text(shape, signless[1]))


def as_signed(value, kind):
    bits = int(kind[1:])
    return value - 2**bits if value >= 2**(bits - 1) else value


def add_conv(case, x, w, bias, x_zp, w_zp, pad, stride, dilation, op="conv2d", kinds=("i8", "i8"),
             acc="i32"):
    """The value and the expected sums."""
    reference = spec.conv2d if op == "conv2d" else spec.depthwise
    sums = reference(x, w, bias, x_zp, w_zp, pad, stride, dilation)
    operands = [case.input(x, kinds[0]), case.constant(w, kinds[1]), case.constant(bias, acc),
                case.constant([x_zp], kinds[0]), case.constant([w_zp], kinds[1])]
    lists = [", ".join(map(str, values)) for values in (dilation, pad, stride)]
    value = case.op(
        f"tosa.{op} {{}}, {{}}, {{}}, {{}}, {{}} {{{{acc_type = {acc}, "
        f"dilation = array<i64: {lists[0]}>, pad = array<i64: {lists[1]}>, "
        f"stride = array<i64: {lists[2]}>}}}}", operands, text(sums.shape, acc))
    return value, sums


def convolutions():
    bias = lambda n: RANDOM.integers(-2000, 2000, n)
    # As converters write a layer: per channel, relu in the codes, no clamp.
    case = Case("layer")
    value, sums = add_conv(case, codes(2, 7, 6, 5), codes(9, 3, 3, 5), bias(9), -128, 0,
                           [1, 1, 1, 1], [1, 1], [1, 1])
    m, s = factors(9)
    out = add_rescale(case, value, sums.shape, m, s, 0, -128)
    case.output(out, spec.rescale(sums, m, s, 0, -128, "i8", True), "i8")
    yield case
    # Paddings that differ, strides, dilations, a zero point inside, relu6.
    case = Case("clamped")
    value, sums = add_conv(case, codes(1, 11, 9, 3), codes(4, 2, 3, 3), bias(4), 5, 0,
                           [1, 0, 0, 2], [2, 3], [3, 2])
    m, s = factors(4)
    out = add_rescale(case, value, sums.shape, m, s, 0, -20, rounding=SINGLE)
    out = case.op("tosa.clamp {} {{max_val = 40 : i8, min_val = -20 : i8}}", [out],
                  text(sums.shape, "i8"))
    expected = spec.rescale(sums, m, s, 0, -20, "i8")
    case.output(out, np.clip(expected, -20, 40), "i8")
    yield case
    # A clamp that leaves out the zero point stays a clamp.
    case = Case("clamped-away")
    value, sums = add_conv(case, codes(1, 4, 4, 3), codes(2, 1, 1, 3), bias(2), 0, 0,
                           [0] * 4, [1, 1], [1, 1])
    m, s = factors(1)
    out = add_rescale(case, value, sums.shape, m, s, 0, -20)
    out = case.op("tosa.clamp {} {{max_val = 90 : i8, min_val = 3 : i8}}", [out],
                  text(sums.shape, "i8"))
    case.output(out, np.clip(spec.rescale(sums, m, s, 0, -20, "i8", True), 3, 90), "i8")
    yield case
    # Sums that are an output, beside codes of them; one bias for all channels.
    case = Case("sums")
    value, sums = add_conv(case, codes(1, 5, 5, 4), codes(3, 3, 2, 4), [77], -3, 0,
                           [0, 1, 1, 0], [1, 1], [1, 1])
    m, s = factors(1)
    case.output(value, sums, "i32")
    case.output(add_rescale(case, value, sums.shape, m, s, 0, 4),
                spec.rescale(sums, m, s, 0, 4, "i8", True), "i8")
    case.output(add_rescale(case, value, sums.shape, m, s, 0, 0, ("i32", "i16")),
                spec.rescale(sums, m, s, 0, 0, "i16", True), "i16")
    yield case
    # Weights with a zero point, that go beyond 8 bits without it.
    case = Case("weights-zero-point")
    value, sums = add_conv(case, codes(1, 4, 4, 3), codes(3, 2, 2, 3), bias(3), 9, 11,
                           [0] * 4, [1, 1], [1, 1])
    case.output(value, sums, "i32")
    yield case
    # Weights of 4 bits.
    case = Case("int4", kept=False)
    value, sums = add_conv(case, codes(1, 4, 4, 3), codes(3, 2, 2, 3, kind="i4"), bias(3), -7, 0,
                           [0] * 4, [1, 1], [1, 1], kinds=("i8", "i4"))
    case.output(value, sums, "i32")
    yield case
    # Activations of 16 bits: sums of 48 bits, multipliers of 16.
    case = Case("sixteen")
    value, sums = add_conv(case, codes(1, 4, 4, 30, kind="i16"), codes(3, 2, 2, 30), bias(3),
                           0, 0, [0] * 4, [1, 1], [1, 1], kinds=("i16", "i8"), acc="i48")
    m, s = RANDOM.integers(2**14, 2**15, 3).tolist(), [27, 30, 31]
    out = add_rescale(case, value, sums.shape, m, s, 0, 0, ("i48", "i16"), SINGLE, scale32=False)
    case.output(out, spec.rescale(sums, m, s, 0, 0, "i16"), "i16")
    yield case
    # A fully connected layer, as converters write it.
    case = Case("dense")
    value, sums = add_conv(case, codes(6, 1, 1, 40), codes(10, 1, 1, 40), bias(10), -128, 0,
                           [0] * 4, [1, 1], [1, 1])
    m, s = factors(1)
    out = add_rescale(case, value, sums.shape, m, s, 0, 33)
    case.output(out, spec.rescale(sums, m, s, 0, 33, "i8", True), "i8")
    yield case
    # Depthwise, with a multiplier, strides, dilations; more than one register.
    for channels, multiplier in ((40, 1), (3, 2)):
        case = Case(f"depthwise-{channels}-{multiplier}")
        value, sums = add_conv(case, codes(1, 9, 8, channels),
                               codes(3, 3, channels, multiplier), bias(channels * multiplier),
                               -128, 0, [0, 0, 1, 2], [2, 1], [1, 2], op="depthwise_conv2d")
        m, s = factors(channels * multiplier)
        out = add_rescale(case, value, sums.shape, m, s, 0, 17)
        case.output(out, spec.rescale(sums, m, s, 0, 17, "i8", True), "i8")
        yield case


def transposed():
    # Strides and paddings of either sign; without a stride it is a convolution.
    for number, (stride, out_pad) in enumerate([([1, 1], [0, 0, 0, 0]), ([2, 2], [0, 0, 0, 0]),
                                                ([2, 3], [1, 0, 0, 2]), ([2, 2], [-1, 0, 0, -1])]):
        case = Case(f"transposed-{number}", kept=False)
        x, w, bias = codes(1, 4, 3, 5), codes(6, 3, 3, 5), RANDOM.integers(-900, 900, 6)
        sums = spec.transpose_conv2d(x, w, bias, -5, 0, out_pad, stride)
        operands = [case.input(x, "i8"), case.constant(w, "i8"), case.constant(bias, "i32"),
                    case.constant([-5], "i8"), case.constant([0], "i8")]
        value = case.op(
            "tosa.transpose_conv2d {}, {}, {}, {}, {} {{acc_type = i32, "
            f"out_pad = array<i64: {', '.join(map(str, out_pad))}>, "
            f"stride = array<i64: {', '.join(map(str, stride))}>}}}}", operands,
            text(sums.shape, "i32"))
        m, s = factors(1)
        out = add_rescale(case, value, sums.shape, m, s, 0, 3)
        case.output(out, spec.rescale(sums, m, s, 0, 3, "i8", True), "i8")
        yield case


def products():
    a, b = codes(2, 5, 33), codes(2, 33, 6)
    for name, zps in (("products", (0, 0)), ("products-zero-points", (-7, 12))):
        case = Case(name)
        sums = spec.matmul(a, b, *zps)
        operands = [case.input(a, "i8"), case.input(b, "i8"), case.constant([zps[0]], "i8"),
                    case.constant([zps[1]], "i8")]
        value = case.op("tosa.matmul {}, {}, {}, {}", operands, text(sums.shape, "i32"))
        case.output(value, sums, "i32")
        yield case
    # One constant for all rows, and one for each batch.
    for batches in (1, 2):
        case = Case(f"constant-product-{batches}")
        sums = spec.matmul(a[:batches], b[:batches], 3, 1)
        operands = [case.input(a[:batches], "i8"), case.constant(b[:batches], "i8"),
                    case.constant([3], "i8"), case.constant([1], "i8")]
        value = case.op("tosa.matmul {}, {}, {}, {}", operands, text(sums.shape, "i32"))
        m, s = factors(1)
        out = add_rescale(case, value, sums.shape, m, s, 0, -9, rounding=SINGLE)
        case.output(out, spec.rescale(sums, m, s, 0, -9, "i8"), "i8")
        yield case


def roundings():
    """Sums that are the inputs: ties and their neighbours on both sides of 0."""
    x = np.arange(-128, 128).reshape(1, 1, -1, 1)
    for rounding in (SINGLE, DOUBLE, INEXACT):
        # Shifts at which the second rounding begins, and the largest.
        for shift in (2, 31, 32, 33, 36, 62):
            case = Case(f"ties-{rounding}-{shift}", kept=rounding != INEXACT)
            value, sums = add_conv(case, x, np.ones((1, 1, 1, 1), np.int64), [0], 0, 0, [0] * 4,
                                   [1, 1], [1, 1])
            multiplier = [1 << min(shift - 1, 30)]
            out = add_rescale(case, value, sums.shape, multiplier, [shift], 0, 1, rounding=rounding)
            case.output(out, spec.rescale(sums, multiplier, [shift], 0, 1, "i8",
                                          rounding == DOUBLE), "i8")
            yield case


def alone():
    """Rescales of other values, which TOSA's own lowering computes."""
    edge32 = np.array([0, 1, -1, 2, -2, 3, -3, 127, -128, 2**29, -(2**29), 2**31 - 1, -(2**31)])
    for rounding in (SINGLE, DOUBLE):
        case = Case(f"alone-{rounding}")
        x = case.input(edge32.reshape(1, -1), "i32")
        for shift, multiplier in ((40, 2**30), (32, 2**30), (38, 2**31 - 1)):
            shape = (1, edge32.size)
            out = add_rescale(case, x, shape, [multiplier], [shift], 0, -4, rounding=rounding)
            case.output(out, spec.rescale(edge32.reshape(1, -1), [multiplier], [shift], 0, -4,
                                          "i8", rounding == DOUBLE), "i8")
        yield case
    every8 = np.arange(-128, 128).reshape(1, -1)
    case = Case("alone-kinds")
    x, shape = case.input(every8, "i8"), (1, 256)
    for kinds, zps in ((("i8", "i32"), (-128, 0)), (("i8", "i16"), (5, 0)),
                       (("i8", "i8"), (-9, 30)), (("i8", "u8"), (0, 128)),
                       (("u8", "i8"), (128, 0))):
        m, s = [1 << 30], [11 if kinds[1] == "i32" else 22 if kinds[1] == "i16" else 30]
        out = add_rescale(case, x, shape, m, s, *zps, kinds, SINGLE)
        data = every8 & 255 if kinds[0] == "u8" else every8
        case.output(out, spec.rescale(data, m, s, *zps, kinds[1]), kinds[1])
    yield case
    case = Case("alone-channels")
    data = codes(2, 3, 4, kind="i16")
    m, s = [1, 20000, 32767, 16384], [2, 20, 24, 31]
    x = case.input(data, "i16")
    out = add_rescale(case, x, data.shape, m, s, 0, 7, ("i16", "i8"), SINGLE, scale32=False)
    case.output(out, spec.rescale(data, m, s, 0, 7, "i8"), "i8")
    yield case


def others():
    """What stands between the layers of converted networks."""
    every8 = np.arange(-128, 128).reshape(1, 256)
    case = Case("table8")
    table = codes(256)
    value = case.op("tosa.table {}, {}", [case.input(every8, "i8"), case.constant(table, "i8")],
                    text(every8.shape, "i8"))
    case.output(value, spec.table8(every8, table), "i8")
    yield case
    case = Case("table16")
    data = np.concatenate([codes(1, 200, kind="i16"), [[-32768, 32767, 0, -1, 1, 127, 128]]], 1)
    table = codes(513, kind="i16")
    value = case.op("tosa.table {}, {}", [case.input(data, "i16"), case.constant(table, "i16")],
                    text(data.shape, "i32"))
    case.output(value, spec.table16(data, table), "i32")
    yield case
    for number, (kernel, pad, stride, zps) in enumerate([
            ((3, 3), [1, 1, 1, 1], (2, 2), (-128, -128)), ((5, 4), [0] * 4, (5, 4), (0, 0)),
            ((2, 3), [0, 1, 2, 0], (1, 1), (6, -11)), ((1, 1), [0] * 4, (1, 1), (3, 3))]):
        case = Case(f"average-{number}")
        data = codes(1, 5 if number != 1 else 10, 8, 3)
        if number == 0:
            data[...] = RANDOM.choice([-128, 127, -127, 126], data.shape)
            data = data[:, :, :7]
        expected = spec.avg_pool2d(data, kernel, pad, stride, *zps, "i8")
        lists = [", ".join(map(str, values)) for values in (kernel, pad, stride)]
        value = case.op(
            "tosa.avg_pool2d {}, {}, {} {{acc_type = i32, "
            f"kernel = array<i64: {lists[0]}>, pad = array<i64: {lists[1]}>, "
            f"stride = array<i64: {lists[2]}>}}}}",
            [case.input(data, "i8"), case.constant([zps[0]], "i8"), case.constant([zps[1]], "i8")],
            text(expected.shape, "i8"))
        case.output(value, expected, "i8")
        yield case
    case = Case("maximum")
    data = codes(1, 6, 6, 3)
    expected = spec.max_pool2d(data, (3, 2), [1, 0, 0, 1], (2, 1), "i8")
    lists = ["3, 2", "1, 0, 0, 1", "2, 1"]
    value = case.op(
        f"tosa.max_pool2d {{}} {{{{kernel = array<i64: {lists[0]}>, pad = array<i64: {lists[1]}>, "
        f"stride = array<i64: {lists[2]}>}}}}", [case.input(data, "i8")],
        text(expected.shape, "i8"))
    case.output(value, expected, "i8")
    yield case
    # A residual addition: both sides on a finer scale, then codes again.
    case = Case("residual")
    a, b = codes(1, 3, 3, 4), codes(1, 3, 3, 4)
    sides, sums = [], 0
    for data, zp, shift in ((a, -128, 11), (b, 4, 12)):
        fine = add_rescale(case, case.input(data, "i8"), data.shape, [1 << 30], [shift], zp, 0,
                           ("i8", "i32"))
        sides.append(fine)
        sums = sums + spec.rescale(data, [1 << 30], [shift], zp, 0, "i32", True)
    total = case.op("tosa.add {}, {}", sides, text(a.shape, "i32"))
    m, s = [1803886264], [50]
    case.output(add_rescale(case, total, a.shape, m, s, 0, -3),
                spec.rescale(sums, m, s, 0, -3, "i8", True), "i8")
    yield case


def cases():
    for group in (convolutions, transposed, products, roundings, alone, others):
        yield from group()
