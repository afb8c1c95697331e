# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The layers that kernels.py runs; each shape says why it is there."""

import numpy as np

from layers import Codes, Decode, Layer, Requantize

U1, U4, U8 = Codes(0, 1), Codes(0, 15), Codes(0, 255)
S4, S8 = Codes(-8, 7), Codes(-128, 127)
W4 = Codes(-7, 7)
OUT4, OUT8 = Codes(0, 15), Codes(-128, 127, -3)
ROUNDINGS = ["half_even", "half_up", "half_away", "toward_zero", "floor"]


def weights(rng, shape, codes=W4):
    return rng.integers(codes.lo, codes.hi + 1, shape)


def even_ends(length, tile):
    return list(range(tile, length, tile)) + [length]


def layers():
    rng = np.random.default_rng(0)
    w = lambda *shape, codes=W4: weights(rng, shape, codes)
    result = []

    def add(name, x, weights, shape, *consumers, **more):
        result.append(Layer(name, x, weights, shape,
                            list(consumers) or [Decode(32)], **more))

    # Remainders of every kind: steps, channels in a vector, positions.
    for k in (1, 3, 4, 5, 17):
        add(f"length-{k}", U8, w(4, k, codes=S8), (3, k))
    for c in (1, 15, 16, 17, 33):
        add(f"channels-{c}", U4, w(c, 9), (2, 9))
    for p in (1, 5):
        add(f"positions-{p}", U4, w(3, 8), (p, 8))
    add("batch", U4, w(3, 8), (2, 3, 8))
    # Every signedness and storage.
    add("signed", S8, w(5, 7, codes=S8), (3, 7))
    add("narrow-storage", Codes(0, 15, bits=4), w(5, 7), (3, 7),
        Requantize(Codes(0, 15, 2, bits=4), [0.03]))
    add("sixteen-bit-codes", Codes(-30000, 30000, bits=16), w(5, 7), (3, 7))
    add("sixteen-bit-result", U8, w(5, 7, codes=S8), (3, 7),
        Requantize(Codes(0, 40000, 5, bits=16), [0.7]))
    add("unsigned-weights", U4, w(3, 5, codes=U4), (2, 5), w=U4)
    # Requantization: all modes, per tensor and per channel, ties.
    for mode in ROUNDINGS:
        add(f"float-{mode}", S8, w(5, 3, codes=S8), (16, 3),
            Requantize(OUT8, [0.5, 0.25, 0.125, 0.007, 1.5],
                       bias=[1, -2, 3, 40000, 5], rounding=mode))
        add(f"fixed-{mode}", S8, w(5, 3, codes=S8), (16, 3),
            Requantize(OUT8, [1, 3, 1 << 30, 5, 2147483647],
                       [1, 3, 36, 0, 38], bias=[1, -2, 3, 4, 5],
                       rounding=mode))
        # Sums with bias beyond 32 bits take 64 and 128 bits.
        add(f"wide-{mode}", S8, w(2, 3, codes=S8), (16, 3),
            Requantize(OUT8, [3, 1 << 30], [40, 62],
                       bias=[1 << 37, -(1 << 40)], rounding=mode),
            Requantize(OUT8, [2.0**-36, 1e-10],
                       bias=[1 << 37, -(1 << 40)], rounding=mode))
    # TOSA's two roundings, on both sides of the shift where the second begins.
    add("fixed-double", S8, w(5, 3, codes=S8), (16, 3),
        Requantize(OUT8, [1, 3, 1 << 30, 5, 1 << 30], [1, 31, 36, 0, 32],
                   bias=[1, -2, 3, 4, 5], rounding="double"))
    add("wide-double", S8, w(2, 3, codes=S8), (16, 3),
        Requantize(OUT8, [3, 1 << 30], [40, 62],
                   bias=[1 << 37, -(1 << 40)], rounding="double"))
    add("wide-codes", S8, w(2, 3, codes=S8), (4, 3),
        Requantize(Codes(-(2**31), 2**31 - 1, bits=32), [70000.25, 1e9]))
    add("saturates", U8, w(2, 30, codes=S8), (4, 30),
        Requantize(OUT4, [1e30]))
    # Consumers that share the sums.
    add("two-consumers", U4, w(5, 6), (3, 6), Requantize(OUT4, [0.1]),
        Decode(64))
    # Initial values: in the proof, constant.
    add("initial", U4, w(17, 6), (3, 6), initial=list(range(-80, 90, 10)))
    # Schedules.
    add("two-stages", U4, w(17, 20), (3, 20), ends=[even_ends(20, 1), [20]])
    add("unequal-tiles", U4, w(9, 20), (3, 20), Requantize(OUT4, [0.02]),
        ends=[[3, 4, 11, 20], [20]])
    add("three-stages", U1, w(17, 50), (5, 50),
        ends=[[2, 7, 9, 20, 31, 40, 50], [9, 31, 50], [50]])
    add("centred", U4, w(17, 24), (5, 24), ends=[[5, 12, 24], [24]],
        centred=True)
    add("centred-whole", U1, w(5, 30), (5, 30), Requantize(OUT4, [0.5]),
        centred=True)
    add("order", U4, w(5, 12), (3, 12), ends=[[5, 12], [12]],
        order=list(rng.permutation(12)), centred=True)
    add("two-lanes", U8, w(17, 19), (5, 19), ends=[[7, 19], [19]], lanes=2,
        centred=True)
    add("two-lanes-whole", U4, w(17, 19), (5, 19), lanes=2, centred=True,
        initial=[3] * 17)
    add("four-lanes", U4, w(3, 19), (2, 19), ends=[[8, 19], [19]], lanes=4)
    add("wrap", S8, np.array([[100, -100, 90, -90, 1]] * 3), (9, 5), wrap=True,
        ends=[[2, 5], [5]])
    add("wrap-narrow", Codes(7, 9, 7), np.array([[10, -10, 9, -9, 1]] * 3), (9, 5),
        wrap=True)
    # Byte pairs: lanes that need all 16 bits and a start, tiles that end within
    # a step, a pair at the edge of saturation, initial values beyond 16 bits.
    full = np.tile([60, 60, 20, 30, 0, 0, -30, -30], (17, 5))
    add("pairs-centred", U8, full[:, :39], (5, 39),
        Requantize(OUT8, [0.001]), ends=[[16, 23, 39], [39]], centred=True, lanes=2)
    add("pairs-one-lane", U8, full[:, :13], (5, 13), ends=[[5, 13], [13]],
        centred=True)
    add("pairs-edge", U8, np.tile([[127, 1] + [0] * 6, [-128, 0] + [0] * 6,
                                   [0] * 6 + [1, 1]], (1, 2)),
        (6, 16), ends=[[8, 16], [16]])
    add("pairs-beyond", U8, np.tile([[127, 2] + [0] * 6, [-128, -1] + [0] * 6],
                                    (1, 2)), (4, 16), ends=[[8, 16], [16]])
    add("pairs-short", U8, np.tile([[127, 1], [-128, 0], [1, 1]], (1, 4)),
        (6, 8), ends=[[2, 4, 6, 8], [8]])
    add("pairs-initial", U8, w(17, 18), (5, 18), initial=[100000] * 17,
        ends=[[7, 18], [18]])
    add("pairs-initial-whole", U4, w(17, 18), (5, 18),
        initial=list(range(-8000, 9000, 1000)))
    add("pairs-wrap", Codes(200, 255, 200),
        np.tile([60, 60, -60, -60], (17, 8)), (5, 32), wrap=True,
        ends=[[16, 32], [32]])
    add("pairs-half-signed", Codes(0, 127), w(9, 18), (5, 18))
    # Machine widths of the only stage: 8, 16, 32, 64 bits.
    add("eight-bits", U1, w(33, 12), (5, 12), Requantize(OUT4, [0.4]))
    add("sixty-four-bits", Codes(-(2**31), 2**31 - 1, bits=32),
        w(3, 9, codes=S8), (2, 9), Decode(64))
    # Convolutions.
    add("conv", U4, w(8, 3, 3, 2), (1, 6, 6, 2), Requantize(OUT4, [0.02]))
    add("conv-stride", U4, w(17, 3, 3, 2), (2, 7, 7, 2), strides=(2, 3))
    add("conv-dilation", U4, w(3, 2, 3, 3), (1, 7, 8, 3), dilations=(3, 2))
    add("conv-padding", Codes(0, 15, 5), w(3, 3, 3, 2), (1, 5, 5, 2),
        padding=(1, 2, 0, 3), strides=(2, 1))
    add("conv-signed-padding", Codes(-8, 7, -3), w(3, 3, 3, 2), (1, 5, 5, 2),
        padding=(1, 1, 1, 1))
    add("conv-pointwise", U4, w(17, 1, 1, 5), (2, 3, 3, 5))
    add("conv-pointwise-stride", U4, w(3, 1, 1, 5), (1, 5, 5, 5),
        strides=(2, 2))
    add("conv-groups", U4, w(6, 3, 3, 2), (1, 5, 5, 4), groups=2,
        padding=(1, 1, 1, 1))
    add("conv-pointwise-groups", U4, w(34, 1, 1, 3), (1, 2, 3, 6), groups=2,
        initial=list(range(34)))
    add("conv-depthwise", U4, w(5, 3, 3, 1), (1, 5, 5, 5), groups=5,
        padding=(1, 1, 1, 1), centred=True)
    add("conv-depthwise-twice", U4, w(10, 3, 3, 1), (1, 5, 5, 5), groups=5,
        strides=(2, 2))
    # One channel per lane: registers of 128, 256 and 512 bits, a last block that
    # overlaps, positions left over in a row, two images; taps that leave one
    # alone or none, centred sums, and weights that need 32 bits.
    for c in (16, 37, 64):
        add(f"conv-lanes-{c}", U4, w(c, 3, 3, 1), (2, 6, 7, c), groups=c,
            padding=(1, 1, 1, 1))
    add("conv-lanes-stride", U4, w(40, 3, 2, 1), (2, 9, 9, 40),
        Requantize(OUT4, list(rng.uniform(0.01, 0.1, 40))), groups=40,
        strides=(2, 3), dilations=(1, 2))
    add("conv-lanes-centred", U8, np.tile(w(1, 5, 5, 1, codes=Codes(5, 9)),
                                          (33, 1, 1, 1)),
        (1, 7, 5, 33), Requantize(OUT8, [0.01]), groups=33,
        padding=(2, 2, 2, 2))
    add("conv-lanes-wide", U8, w(33, 3, 3, 1, codes=S8), (1, 4, 6, 33),
        groups=33, padding=(1, 1, 1, 1))
    add("conv-lanes-signed", S8, w(24, 2, 2, 1, codes=S8), (1, 5, 5, 24),
        groups=24)
    add("conv-stages", U4, w(8, 3, 3, 4), (1, 5, 5, 4),
        Requantize(OUT4, [0.01]), padding=(1, 1, 1, 1),
        ends=[even_ends(36, 5), [15, 36], [36]], centred=True,
        order=list(rng.permutation(36)))
    # Blocks of positions and channels: whole ones, a smaller one at the end of
    # either, and channels that fill no vector; for 2 vectors of 8 and of 16.
    add("blocks-of-16", U4, w(41, 18), (11, 18), Requantize(OUT4, [0.02]))
    add("blocks-of-32", U8, w(72, 21), (19, 21), initial=list(range(72)))
    # One position: 4 and 8 vectors share each code.
    add("one-position", U8, w(165, 50), (1, 50), Requantize(OUT8, [0.001]))
    # Tiles of the kernel's own: some, with starts; one; one for each step.
    add("own-tiles", U8, w(17, 403), (6, 403), ends=[even_ends(403, 13), [403]])
    add("own-tile", U4, w(17, 60), (6, 60), ends=[even_ends(60, 13), [60]])
    add("own-tiles-of-a-step", U8, w(17, 403), (6, 403))
    # Read in place: runs that end within a step, of one pixel and of several,
    # with padding, from the second image too; runs too short for a step.
    add("conv-in-place", U8, w(20, 3, 3, 6), (2, 6, 7, 6), strides=(2, 1),
        padding=(1, 0, 1, 2))
    add("conv-in-place-pixels", U4, w(9, 3, 2, 5), (1, 7, 7, 5),
        dilations=(1, 2))
    add("conv-in-place-groups", U8, w(34, 3, 3, 5), (2, 5, 5, 10), groups=2,
        padding=(1, 1, 1, 1))
    add("conv-short-runs", U4, w(9, 3, 2, 1), (2, 5, 5, 1))
    # Products of activations.
    add("dynamic-in-place", U8, w(2, 5, 9, codes=S8), (2, 3, 9), dynamic=True,
        w=S8)
    add("dynamic", U8, w(17, 7, codes=S8), (3, 7), dynamic=True)
    add("dynamic-batch", S8, w(2, 5, 6, codes=S8), (2, 3, 6), dynamic=True,
        w=S8)
    return result


def wrong(what):
    """A type that promises one bit too few, or arguments outside ranges."""
    rng = np.random.default_rng(0)
    more = {
        "type": dict(ends=[[5, 12, 24], [24]], lie=1),
        "argument": dict(given=" {a2q.range = [0, 14]}"),
        "channel": dict(given=" {a2q.range = {axis = 1, "
                        f"lo = array<i64: {', '.join(['0'] * 24)}>, "
                        f"hi = array<i64: {', '.join(['15'] * 23 + ['7'])}>"
                        "}}"),
    }[what]
    return [Layer("liar", U4, weights(rng, (17, 24)), (5, 24), [Decode(32)],
                  **more)]
