# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Accumulator widths from the integers themselves, in plain Python integers.

Slow, direct, and independent of the compiler: every width is the smallest P
that passes its own condition, found by counting upwards; every interval is the
sum of the products that an adversary would choose.
"""

from dataclasses import dataclass


@dataclass
class Layer:
    """The integers of one accumulating node.

    weights: [channels][K]. lo, hi: [channels][K], the range of each activation
    code, padding included. weight_bits: of the declared weight type.
    """

    name: str
    op: str
    weights: list
    lo: list
    hi: list
    weight_bits: int


def smallest_width(fits):
    width = 1
    while not fits(width):
        width += 1
    return width


def signed_width(lo, hi):
    return smallest_width(lambda p: -(2 ** (p - 1)) <= lo and hi <= 2 ** (p - 1) - 1)


def span_width(lo, hi):
    return smallest_width(lambda p: hi - lo <= 2**p - 1)


def code_bits(lo, hi):
    """Bits of the smallest type that holds the codes: unsigned when lo >= 0."""
    if lo < 0:
        return signed_width(lo, hi)
    return smallest_width(lambda bits: hi <= 2**bits - 1)


def final_interval(weights, lo, hi):
    """The complete sum under the worst inputs."""
    products = [(q * a, q * b) for q, a, b in zip(weights, lo, hi)]
    return sum(min(p) for p in products), sum(max(p) for p in products)


def prefix_interval(weights, lo, hi):
    """Any partial sum, in any order: the adversary may also leave out a term."""
    products = [(q * a, q * b) for q, a, b in zip(weights, lo, hi)]
    return sum(min(0, *p) for p in products), sum(max(0, *p) for p in products)


def channel_figures(weights, lo, hi):
    """One element of the report's `per_channel`."""
    pos = sum(q for q in weights if q > 0)
    neg = -sum(q for q in weights if q < 0)
    final = final_interval(weights, lo, hi)
    prefix = prefix_interval(weights, lo, hi)
    return {
        "l1": pos + neg,
        "pos": pos,
        "neg": neg,
        "final": list(final),
        "prefix": list(prefix),
        "final_width": signed_width(*final),
        "prefix_width": signed_width(*prefix),
        "centred_width": span_width(*prefix),
    }


def _channel_widths(weights, lo, hi, channel, weight_bits):
    """Widths by the bounds that ask for the activations' integer type too."""
    least, most = min(lo), max(hi)
    bits, signed = code_bits(least, most), int(least < 0)
    product_bits = bits + weight_bits - 1 - signed
    half = max(channel["pos"], channel["neg"])
    widths = {
        "datatype": smallest_width(
            lambda p: len(weights) * 2**product_bits <= 2 ** (p - 1) - 1
        ),
        "a2q": smallest_width(
            lambda p: channel["l1"] * 2 ** (bits - signed) <= 2 ** (p - 1) - 1
        ),
        "a2q-plus": smallest_width(lambda p: 2 * half * (2**bits - 1) <= 2**p - 2),
        "exact": channel["prefix_width"],
        "centred": channel["centred_width"],
    }
    if least == most == 0:
        # Nothing is ever added.
        return widths | {"a2q": 1, "a2q-plus": 1, "zero-point": 1}
    shift = 0 if signed else 2 ** (bits - 1)
    shifted = [x - shift for x in lo], [x - shift for x in hi]
    return widths | {"zero-point": signed_width(*prefix_interval(weights, *shifted))}


def layer_figures(layer):
    """What the report says of one layer, as far as the integers decide it."""
    lo = min(min(row) for row in layer.lo)
    hi = max(max(row) for row in layer.hi)
    length = len(layer.weights[0])
    rows = list(zip(layer.weights, layer.lo, layer.hi))
    channels = [channel_figures(*row) for row in rows]
    widths = [
        _channel_widths(*row, channel, layer.weight_bits)
        for row, channel in zip(rows, channels)
    ]
    zeros = sum(q == 0 for row in layer.weights for q in row)
    return {
        "reduction_length": length,
        "channels": len(channels),
        "activation": {
            "bits": code_bits(lo, hi),
            "signed": lo < 0,
            "lo": lo,
            "hi": hi,
        },
        "weights": {
            "bits": layer.weight_bits,
            "sparsity": zeros / (length * len(channels)),
        },
        "width": {bound: max(width[bound] for width in widths) for bound in widths[0]},
        "per_channel": channels,
    }


def _disagreements(where, reported, tight, loose):
    """Where `reported` leaves what `tight` and `loose` enclose."""
    if isinstance(tight, dict):
        for key in tight:
            if not isinstance(reported, dict) or key not in reported:
                yield f"{where}: no key '{key}'"
            else:
                inner = f"{where}.{key}"
                yield from _disagreements(inner, reported[key], tight[key], loose[key])
    elif isinstance(tight, list):
        if not isinstance(reported, list) or len(reported) != len(tight):
            yield f"{where}: expected a list of {len(tight)} elements"
            return
        for index, (r, t, l) in enumerate(zip(reported, tight, loose)):
            yield from _disagreements(f"{where}[{index}]", r, t, l)
    else:
        slack = 1e-3 if isinstance(tight, float) else 0
        lo, hi = min(tight, loose), max(tight, loose)
        is_number = isinstance(reported, (int, float))
        if not is_number or not lo - slack <= reported <= hi + slack:
            expected = f"{tight}" if tight == loose else f"{lo} to {hi}"
            yield f"{where}: report says {reported}, the integers say {expected}"


def _inconsistencies(where, reported):
    """Widths that are not those of the report's own intervals."""
    channels = reported["per_channel"]
    for index, channel in enumerate(channels):
        for key, width in (
            ("final_width", signed_width(*channel["final"])),
            ("prefix_width", signed_width(*channel["prefix"])),
            ("centred_width", span_width(*channel["prefix"])),
        ):
            if channel[key] != width:
                yield (
                    f"{where}.per_channel[{index}].{key}: report says {channel[key]}, "
                    f"its interval needs {width}"
                )
    for bound, key in (("exact", "prefix_width"), ("centred", "centred_width")):
        worst = max(channel[key] for channel in channels)
        if reported["width"][bound] != worst:
            yield (
                f"{where}.width.{bound}: report says {reported['width'][bound]}, "
                f"its worst channel needs {worst}"
            )


def check_report(report, tight, loose):
    """The mismatches between a report and the integers, as text.

    tight, loose: lists of Layer with inferred and with declared activation
    ranges. A compiler may infer anything between the two, but its widths must
    be those of its own intervals. The same list twice asks for equality.
    """
    if report.get("version") != 1:
        return [f"report version is {report.get('version')}, expected 1"]
    reported = {layer["name"]: layer for layer in report["layers"]}
    problems = [
        f"{name}: in the report, not in the model"
        for name in reported
        if name not in {layer.name for layer in tight}
    ]
    for a, b in zip(tight, loose):
        if a.name not in reported:
            problems.append(f"{a.name}: in the model, not in the report")
            continue
        layer = reported[a.name]
        found = list(_disagreements(a.name, layer, layer_figures(a), layer_figures(b)))
        problems += found or _inconsistencies(a.name, layer)
    return problems
