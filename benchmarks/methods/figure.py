# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Draws accuracy against the accumulator's width, as SVG."""

COLOURS = {
    "unconstrained, wraps": "#999999",
    "unconstrained, saturates": "#555555",
    "a2q-plus": "#d55e00",
    "top-b": "#e69f00",
    "optimal": "#0072b2",
    "optq": "#009e73",
}
DASHED = ("unconstrained, wraps", "unconstrained, saturates")
LOW, HIGH = 6, 18
WIDTH, HEIGHT = 360, 240
LEFT, TOP, GAP = 50, 30, 60


def text(x, y, content, anchor="middle"):
    return (f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">'
            f"{content}</text>")


def line(x1, y1, x2, y2, colour="#dddddd"):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'stroke="{colour}"/>')


def panel(left, title, curves):
    def x(width):
        return left + (width - LOW) / (HIGH - LOW) * WIDTH

    def y(accuracy):
        return TOP + (100 - accuracy) / 100 * HEIGHT

    parts = [text(left + WIDTH / 2, TOP - 12, title)]
    for accuracy in range(0, 101, 20):
        parts.append(line(left, y(accuracy), left + WIDTH, y(accuracy)))
        parts.append(text(left - 6, y(accuracy) + 4, accuracy, "end"))
    for width in range(LOW, HIGH + 1, 2):
        parts.append(line(x(width), TOP, x(width), TOP + HEIGHT))
        parts.append(text(x(width), TOP + HEIGHT + 16, width))
    for name, points in curves.items():
        points = [(w, a) for w, a in points if LOW <= w <= HIGH]
        if not points:
            continue
        path = " ".join(f"{x(w):.1f},{y(a):.1f}" for w, a in points)
        dash = ' stroke-dasharray="5 3"' if name in DASHED else ""
        parts.append(f'<polyline points="{path}" fill="none" stroke-width="2" '
                     f'stroke="{COLOURS[name]}"{dash}/>')
    return parts


def legend(top):
    parts = []
    for i, (name, colour) in enumerate(COLOURS.items()):
        left, row = LEFT + (i % 3) * 250, top + (i // 3) * 20
        parts.append(line(left, row - 4, left + 30, row - 4, colour))
        parts.append(text(left + 36, row, name, "start"))
    return parts


def svg(panels):
    """panels: [(title, {curve: [(width, accuracy in %)]})], side by side."""
    full = LEFT + len(panels) * (WIDTH + GAP)
    tall = TOP + HEIGHT + 90
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{full}" '
             f'height="{tall}" font-family="sans-serif" font-size="12">',
             f'<rect width="{full}" height="{tall}" fill="white"/>']
    for i, (title, curves) in enumerate(panels):
        parts += panel(LEFT + i * (WIDTH + GAP), title, curves)
    parts.append(text(LEFT + WIDTH / 2, TOP + HEIGHT + 34,
                      "accumulator bits; accuracy in %"))
    parts += legend(TOP + HEIGHT + 58)
    return "\n".join(parts + ["</svg>", ""])
