"""One horse-like animal: a random build and pose, its silhouette, and stripes that follow its limbs.

An animal is a handful of *limbs*, each a spine of knots (x, y, radius). The same spines give the
silhouette (`Stencil.limb`) and the stripes (`draw_rings`): bands across the spine, bowed and leaning.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .stencil import Knot, Point, Stencil, between, smooth

AHEAD = 0.12
"""An animal's middle from nose to tail lies this far before its trunk's middle, in body lengths."""


@dataclass(frozen=True, slots=True)
class Build:
    """Where an animal stands, how it is built, and what it does; lengths in body lengths."""

    x: float
    """Middle of the trunk, as a fraction of the picture's width."""
    foot: float
    """Height of the ground under its hooves, as a fraction of the picture from above."""
    length: float
    """Length of the trunk, as a fraction of the picture's width."""
    facing: float
    """1: to the right, -1: to the left."""
    leg: float
    """Height of the trunk's axis above the ground."""
    girth: float
    """Thickness of the trunk against the usual."""
    neck: float
    """Length of the neck."""
    neck_angle: float
    """Rise of the neck over the horizontal, in radians; grazing animals have a negative one."""
    head_angle: float
    """Fall of the face under the horizontal, in radians."""
    tail: float
    """How far the tail swings away."""
    swing: tuple[float, ...]
    """How far the hooves are put forward: far hind, far fore, near hind, near fore."""
    bend: tuple[float, ...]
    """How far the hooves are lifted, in the same order."""

    def place(self, x: float, y: float) -> Point:
        """A point of the animal (x forward of the trunk's middle, y above the ground) in the picture."""
        return self.x + self.facing * self.length * x, self.foot - self.length * y

    def spine(self, knots: Sequence[Knot]) -> list[Knot]:
        """A smooth spine through ``knots``, given as for `place`, in the picture."""
        return [(*self.place(x, y), r * self.length) for x, y, r in smooth(knots)]


def random_build(rng: np.random.Generator, x: float, foot: float, length: float) -> Build:
    """An animal that stands, walks, trots or grazes, seen from nose to tail about ``x``."""
    stride = between(rng, 0.02, 0.2)
    phase = between(rng, -1.0, 1.0)
    grazing = rng.random() < 0.22
    facing = 1.0 if rng.random() < 0.5 else -1.0
    steps = (phase, -phase, -phase, phase)
    return Build(
        x=x - facing * AHEAD * length,
        foot=foot,
        length=length,
        facing=facing,
        leg=between(rng, 0.62, 0.74),
        girth=between(rng, 0.92, 1.14),
        neck=between(rng, 0.50, 0.56) if grazing else between(rng, 0.40, 0.52),
        neck_angle=between(rng, -0.75, -0.6) if grazing else between(rng, 0.45, 1.0),
        head_angle=between(rng, 1.0, 1.3) if grazing else between(rng, 0.35, 0.9),
        tail=between(rng, 0.03, 0.2),
        swing=tuple(stride * s + between(rng, -0.05, 0.05) for s in steps),
        bend=tuple(max(0.0, between(rng, -0.1, 0.06)) for _ in range(4)),
    )


@dataclass(frozen=True, slots=True)
class Anatomy:
    """The spines of an animal's limbs in the picture."""

    trunk: list[Knot]
    """From the rump to the chest."""
    neck: list[Knot]
    """From the chest to the poll."""
    head: list[Knot]
    """From the poll to the muzzle."""
    legs: tuple[list[Knot], list[Knot], list[Knot], list[Knot]]
    """Far hind, far fore, near hind, near fore: from the trunk to the hoof."""
    mane: list[Knot]
    """Along the upper edge of the neck."""
    tail: list[Knot]
    """From the rump to the tuft."""
    ears: tuple[list[Point], list[Point]]
    """A triangle each."""
    eye: Knot
    """A disc."""
    muzzle: list[Knot]
    """The dark end of the head."""


def anatomy(build: Build) -> Anatomy:
    """Where the limbs of an animal of this build are."""
    b, g, h = build, build.girth, build.leg + 0.04
    trunk = [
        (-0.38, h, 0.215 * g),
        (-0.12, h - 0.015, 0.20 * g),
        (0.14, h - 0.03, 0.215 * g),
        (0.36, h, 0.19 * g),
    ]
    cos, sin = math.cos(b.neck_angle), math.sin(b.neck_angle)
    root = (0.38, h + 0.05)
    poll = (root[0] + cos * b.neck, root[1] + sin * b.neck)
    arch = 0.035 if b.neck_angle > 0 else 0.02
    middle = ((root[0] + poll[0]) / 2 - sin * arch, (root[1] + poll[1]) / 2 + cos * arch)
    neck = [(*root, 0.17 * g), (*middle, 0.115), (*poll, 0.085)]
    mane = [(x - sin * r * 0.9, y + cos * r * 0.9, 0.04) for x, y, r in smooth(neck)[2:]]
    fall_cos, fall_sin = math.cos(b.head_angle), math.sin(b.head_angle)

    def on_head(forward: float, upward: float) -> Point:
        return poll[0] + fall_cos * forward + fall_sin * upward, poll[
            1
        ] - fall_sin * forward + fall_cos * upward

    def ear(forward: float) -> list[Point]:
        corners = ((forward - 0.03, 0.06), (forward - 0.05, 0.20), (forward + 0.03, 0.07))
        return [b.place(*on_head(*corner)) for corner in corners]

    head = [(*on_head(0.0, -0.01), 0.095), (*on_head(0.14, -0.02), 0.082), (*on_head(0.31, -0.02), 0.056)]
    rump = (-0.58, h + 0.10)
    return Anatomy(
        trunk=b.spine(trunk),
        neck=b.spine(neck),
        head=b.spine(head),
        legs=(
            b.spine(_hind(b, h, 0, 0.10)),
            b.spine(_fore(b, h, 1, 0.03)),
            b.spine(_hind(b, h, 2, 0.0)),
            b.spine(_fore(b, h, 3, 0.0)),
        ),
        mane=b.spine(mane),
        tail=b.spine(
            [
                (*rump, 0.022),
                (rump[0] - 0.06 - 0.4 * b.tail, h - 0.08, 0.022),
                (rump[0] - 0.05 - b.tail, h - 0.36, 0.040),
                (rump[0] - 0.04 - b.tail, h - 0.46, 0.010),
            ]
        ),
        ears=(ear(-0.02), ear(0.05)),
        eye=(*b.place(*on_head(0.10, 0.025)), 0.017 * b.length),
        muzzle=b.spine([(*on_head(0.27, -0.02), 0.055), (*on_head(0.31, -0.02), 0.057)]),
    )


def _hind(b: Build, h: float, which: int, forward: float) -> list[Knot]:
    s, lift = b.swing[which], b.bend[which]
    return [
        (-0.37, h - 0.04, 0.18),
        (-0.39 + forward * 0.4 + s * 0.3, h * 0.66, 0.095),
        (-0.47 + forward + s * 0.7 - lift * 0.5, h * 0.40 + lift * 0.6, 0.052),
        (-0.45 + forward + s - lift, h * 0.12 + lift, 0.036),
        (-0.42 + forward + s - lift, 0.02 + lift, 0.042),
    ]


def _fore(b: Build, h: float, which: int, forward: float) -> list[Knot]:
    s, lift = b.swing[which], b.bend[which]
    return [
        (0.32, h - 0.06, 0.13),
        (0.31 + forward * 0.5 + s * 0.2, h * 0.62, 0.075),
        (0.32 + forward + s * 0.6 + lift, h * 0.38 + lift * 0.6, 0.050),
        (0.31 + forward + s, h * 0.12 + lift, 0.034),
        (0.33 + forward + s, 0.02 + lift, 0.042),
    ]


def draw_rings(
    rng: np.random.Generator,
    stencil: Stencil,
    spine: Sequence[Knot],
    *,
    period: float,
    bow: float = 0.0,
    lean: float = 0.0,
    taper: float = 0.0,
) -> None:
    """Bands across a limb, of random phase and width, one each ``period`` (a fraction of the picture).

    Each band is bowed forward by ``bow`` periods in its middle, narrows by the share ``taper`` towards
    the side right of the spine's way (left of it where negative), and leans: at the spine's start its
    right end is shifted forward and its left end back by ``lean`` radii, fading to none at the spine's end.
    """
    reach = [0.0]
    for (x0, y0, _), (x1, y1, _) in pairwise(spine):
        reach.append(reach[-1] + math.hypot(x1 - x0, y1 - y0))
    start = -spine[0][2] - period * rng.random()
    end = reach[-1] + spine[-1][2]
    while start < end:
        width = period * between(rng, 0.42, 0.60)
        slant = lean * max(0.0, 1 - max(0.0, start) / reach[-1])
        edges: tuple[list[Point], list[Point]] = ([], [])
        for across in (-1.2, -0.8, -0.4, 0.0, 0.4, 0.8, 1.2):
            thin = width * (1 - abs(taper) / 2 - taper * across / 2.4) / 2
            centre = start + width / 2 + bow * period * (1 - across * across)
            for edge, side in zip(edges, (-1, 1), strict=True):
                edge.append(_beside(spine, reach, centre + side * thin, across, slant * across))
        stencil.polygon([*edges[0], *reversed(edges[1])])
        start += period * between(rng, 0.88, 1.12)


def _beside(spine: Sequence[Knot], reach: Sequence[float], way: float, across: float, shift: float) -> Point:
    """The point ``way`` along a spine and ``across`` radii beside it, moved ``shift`` radii further along."""
    i = next((k for k in range(len(reach) - 2) if way < reach[k + 1]), len(reach) - 2)
    (x0, y0, r0), (x1, y1, r1) = spine[i], spine[i + 1]
    length = reach[i + 1] - reach[i]
    tx, ty = (x1 - x0) / length, (y1 - y0) / length
    t = way - reach[i]
    r = r0 + (r1 - r0) * min(1.0, max(0.0, t / length))
    t += shift * r
    return x0 + tx * t - ty * across * r, y0 + ty * t + tx * across * r
