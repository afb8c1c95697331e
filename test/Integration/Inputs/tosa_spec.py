# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Integer operators by the definitions of TOSA 1.0, in numpy, without haste.

Arrays of int64 hold the integers; images are NHWC.
"""

import numpy as np


def apply_scale_32(value, multiplier, shift, double):
    value = np.asarray(value, object)
    rounding = 1 << (shift - 1)
    extra = (1 << 30) if double and shift > 31 else 0
    scale = np.vectorize(
        lambda v: (int(v) * multiplier + rounding + (extra if v >= 0 else -extra)) >> shift,
        otypes=[object])
    return scale(value)


def limits(kind):
    """"i8" or "u8", and so on."""
    bits = int(kind[1:])
    if kind[0] == "u":
        return 0, 2**bits - 1
    return -2**(bits - 1), 2**(bits - 1) - 1


def rescale(x, multipliers, shifts, in_zp, out_zp, out, double=False):
    x = np.asarray(x, np.int64) - in_zp
    result = np.empty(x.shape, np.int64)
    if len(multipliers) == 1:
        result[...] = apply_scale_32(x, multipliers[0], shifts[0], double)
    else:
        for channel, (multiplier, shift) in enumerate(zip(multipliers, shifts)):
            result[..., channel] = apply_scale_32(x[..., channel], multiplier, shift, double)
    return np.clip(result + out_zp, *limits(out))


def windows(x, kernel, pad, stride, dilation, fill):
    """[n, oh, ow, kh, kw, c] of an image; pad is top, bottom, left, right."""
    x = np.pad(np.asarray(x, np.int64),
               ((0, 0), pad[:2], pad[2:], (0, 0)), constant_values=fill)
    high = [(k - 1) * d + 1 for k, d in zip(kernel, dilation)]
    oh = (x.shape[1] - high[0]) // stride[0] + 1
    ow = (x.shape[2] - high[1]) // stride[1] + 1
    result = np.empty((x.shape[0], oh, ow, *kernel, x.shape[3]), np.int64)
    for i in range(oh):
        for j in range(ow):
            rows = i * stride[0] + np.arange(kernel[0]) * dilation[0]
            columns = j * stride[1] + np.arange(kernel[1]) * dilation[1]
            result[:, i, j] = x[:, rows][:, :, columns]
    return result


def conv2d(x, w, bias, x_zp, w_zp, pad, stride, dilation):
    """`w` is [out, kh, kw, in]."""
    taken = windows(x, w.shape[1:3], pad, stride, dilation, x_zp) - x_zp
    w = np.asarray(w, np.int64) - w_zp
    return np.einsum("nijabc,oabc->nijo", taken, w) + np.asarray(bias, np.int64)


def depthwise(x, w, bias, x_zp, w_zp, pad, stride, dilation):
    """`w` is [kh, kw, in, multiplier]."""
    taken = windows(x, w.shape[:2], pad, stride, dilation, x_zp) - x_zp
    w = np.asarray(w, np.int64) - w_zp
    sums = np.einsum("nijabc,abcm->nijcm", taken, w)
    return sums.reshape(*sums.shape[:3], -1) + np.asarray(bias, np.int64)


def transpose_conv2d(x, w, bias, x_zp, w_zp, out_pad, stride):
    """`w` is [out, kh, kw, in]; every input element spreads over a window."""
    x = np.asarray(x, np.int64) - x_zp
    w = np.asarray(w, np.int64) - w_zp
    n, ih, iw, _ = x.shape
    oc, kh, kw, _ = w.shape
    oh = (ih - 1) * stride[0] + out_pad[0] + out_pad[1] + kh
    ow = (iw - 1) * stride[1] + out_pad[2] + out_pad[3] + kw
    result = np.zeros((n, oh, ow, oc), np.int64) + np.asarray(bias, np.int64)
    for i in range(ih):
        for j in range(iw):
            for a in range(kh):
                for b in range(kw):
                    oy = i * stride[0] + a + out_pad[0]
                    ox = j * stride[1] + b + out_pad[2]
                    if 0 <= oy < oh and 0 <= ox < ow:
                        result[:, oy, ox] += x[:, i, j] @ w[:, a, b].T
    return result


def matmul(a, b, a_zp, b_zp):
    return (np.asarray(a, np.int64) - a_zp) @ (np.asarray(b, np.int64) - b_zp)


def reciprocal_scale(count):
    k = int(count - 1).bit_length()
    return ((((1 << 30) + 1) << k) // count), 30 + k


def avg_pool2d(x, kernel, pad, stride, in_zp, out_zp, out):
    taken = windows(x, kernel, pad, stride, (1, 1), in_zp) - in_zp
    inside = windows(np.ones(np.shape(x), np.int64), kernel, pad, stride, (1, 1), 0)
    sums, counts = taken.sum((3, 4)), inside.sum((3, 4))
    result = np.empty(sums.shape, np.int64)
    for index in np.ndindex(sums.shape):
        multiplier, shift = reciprocal_scale(counts[index])
        result[index] = apply_scale_32(sums[index], multiplier, shift, False)
    return np.clip(result + out_zp, *limits(out))


def max_pool2d(x, kernel, pad, stride, out):
    return windows(x, kernel, pad, stride, (1, 1), limits(out)[0]).max((3, 4))


def table8(x, table):
    return np.asarray(table, np.int64)[np.asarray(x, np.int64) + 128]


def table16(x, table):
    """513 entries; the result has 7 more bits."""
    table = np.asarray(table, np.int64)
    value = np.asarray(x, np.int64) + 32768
    index, fraction = value >> 7, value & 127
    base, following = table[index], table[index + 1]
    return (base << 7) + (following - base) * fraction
