"""Where the animals stand: sky, sun, clouds, hills, ground and plants, all random."""

from dataclasses import dataclass

import numpy as np

from .stencil import Colour, FloatArray, Knot, Stencil, between, lay, mix, noise, pick, scaled, smooth


@dataclass(frozen=True, slots=True)
class Sky:
    """The colours of a time of day."""

    top: Colour
    """At the picture's upper edge."""
    low: Colour
    """At the horizon; far hills fade into it."""
    light: Colour
    """What everything under this sky is multiplied by; 1 is neutral."""


@dataclass(frozen=True, slots=True)
class Ground:
    """The colours of a piece of land."""

    far: Colour
    """At the horizon."""
    near: Colour
    """At the picture's lower edge."""
    patch: Colour
    """Of irregular patches in between."""
    plants: Colour
    """Of trees, bushes and tufts."""


@dataclass(frozen=True, slots=True)
class Landscape:
    """What animals need to know of the place they stand in."""

    picture: FloatArray  # [size, size, 3], 0 to 255, before the light is applied
    """The painted background."""
    horizon: float
    """Height of the horizon, as a fraction of the picture from above."""
    sky: Sky
    """The sky over it."""
    ground: Ground
    """The land under it."""
    sun_side: float
    """-1: the light comes from the left, 1: from the right."""


SKIES = (
    Sky((64, 126, 206), (186, 220, 243), (1.00, 1.00, 1.00)),
    Sky((92, 160, 222), (238, 232, 208), (1.03, 1.01, 0.95)),
    Sky((98, 112, 178), (255, 184, 120), (1.08, 0.97, 0.84)),
    Sky((148, 166, 184), (216, 222, 226), (0.94, 0.96, 0.99)),
    Sky((72, 78, 140), (236, 156, 160), (0.98, 0.90, 0.96)),
    Sky((122, 186, 214), (246, 240, 214), (1.02, 1.02, 0.97)),
)
GROUNDS = (
    Ground((150, 184, 98), (84, 138, 56), (168, 182, 88), (58, 104, 50)),
    Ground((222, 196, 116), (178, 142, 70), (196, 178, 104), (104, 112, 54)),
    Ground((206, 140, 96), (162, 92, 60), (176, 150, 84), (86, 104, 54)),
    Ground((184, 182, 118), (136, 132, 76), (206, 190, 136), (88, 108, 60)),
    Ground((112, 172, 98), (56, 112, 54), (98, 156, 66), (34, 82, 48)),
    Ground((236, 212, 164), (206, 170, 118), (184, 166, 104), (112, 124, 70)),
)


def paint_landscape(rng: np.random.Generator, size: int) -> Landscape:
    """A random landscape of ``size`` × ``size`` pixels."""
    sky, ground = pick(rng, SKIES), pick(rng, GROUNDS)
    horizon = between(rng, 0.30, 0.50)
    sun_side = pick(rng, (-1.0, 1.0))
    picture = _paint_sky(rng, size, sky, horizon, sun_side)
    _paint_hills(rng, picture, sky, ground, horizon)
    _paint_ground(rng, picture, ground, horizon)
    _plant_trees(rng, picture, sky, ground, horizon, sun_side)
    _plant_tufts(rng, picture, ground, horizon)
    return Landscape(picture, horizon, sky, ground, sun_side)


def _rows(size: int) -> FloatArray:
    """Heights of the pixels' centres, 0 above and 1 below: [size, 1]."""
    return ((np.arange(size, dtype=np.float32) + 0.5) / size)[:, None]


def _paint_sky(rng: np.random.Generator, size: int, sky: Sky, horizon: float, sun_side: float) -> FloatArray:
    y = _rows(size)  # [size, 1]
    x = y.T  # [1, size]
    depth = np.minimum(y / horizon, 1)[..., None]  # [size, 1, 1]
    top, low = np.asarray(sky.top, dtype=np.float32), np.asarray(sky.low, dtype=np.float32)
    picture = np.repeat(top + (low - top) * depth, size, axis=1)  # [size, size, 3]

    sun_x, sun_y = 0.5 + sun_side * between(rng, 0.1, 0.42), horizon * between(rng, 0.15, 0.8)
    sunny = rng.random() < 0.6
    far2 = (x - sun_x) ** 2 + (y - sun_y) ** 2
    if sunny:
        sun_colour = mix((255, 250, 225), sky.low, 0.25)
        lay(picture, 0.75 / (1 + far2 * 60), sun_colour)
        disc = Stencil(size)
        radius = between(rng, 0.035, 0.06)
        disc.oval(sun_x, sun_y, radius, radius)
        lay(picture, disc.coverage(), (255, 252, 232))

    cover = between(rng, -0.35, 0.25)
    clouds = noise(rng, size, 4, 9) + 0.6 * noise(rng, size, 9, 18)
    density = np.clip((clouds + cover) * 1.2, 0, 1)
    lay(picture, density * 0.8, mix((255, 255, 255), sky.low, 0.2))
    return picture


def _ridge(rng: np.random.Generator, base: float, height: float, knots: int) -> list[tuple[float, float]]:
    """The outline of a range of hills that stand on the height ``base``."""
    points: list[Knot] = [
        ((i - 1) / (knots - 3), base - height * between(rng, 0.1, 1.0), 0.0) for i in range(knots)
    ]
    line = [(x, y) for x, y, _ in smooth(points, 6)]
    return [(line[0][0], base + 0.1), *line, (line[-1][0], base + 0.1)]


def _paint_hills(
    rng: np.random.Generator, picture: FloatArray, sky: Sky, ground: Ground, horizon: float
) -> None:
    ranges = int(rng.integers(1, 4))
    blue = mix(sky.top, (110, 120, 150), 0.5)
    for i in range(ranges):
        nearness = (i + 1) / (ranges + 1)
        hills = Stencil(picture.shape[0])
        hills.polygon(
            _ridge(rng, horizon, between(rng, 0.12, 0.22) * (1.15 - nearness), int(rng.integers(6, 11)))
        )
        colour = mix(mix(blue, sky.low, 0.55), mix(ground.plants, ground.far, 0.4), 0.25 + 0.6 * nearness)
        lay(picture, hills.coverage(), scaled(colour, between(rng, 0.9, 1.05)))


def _paint_ground(rng: np.random.Generator, picture: FloatArray, ground: Ground, horizon: float) -> None:
    size = picture.shape[0]
    land = Stencil(size)
    bumps = _ridge(rng, horizon + 0.01, between(rng, 0.0, 0.03), 7)
    land.polygon([(-0.5, 1.1), *bumps, (1.5, 1.1)])
    depth = np.clip((_rows(size) - horizon) / (1 - horizon), 0, 1)[..., None]
    far, near = np.asarray(ground.far, dtype=np.float32), np.asarray(ground.near, dtype=np.float32)
    colour = far + (near - far) * depth  # [size, 1, 3]
    colour = np.repeat(colour, size, axis=1)
    patches = noise(rng, size, 4, 14) + 0.5 * noise(rng, size, 8, 26)
    lay(colour, np.clip(patches * 0.9, 0, 1) * 0.75, ground.patch)
    grain = 7 * noise(rng, size, 16, 40) + 5 * noise(rng, size, 40, 56)
    colour += (grain * (0.4 + depth[..., 0]))[..., None]
    lay(picture, land.coverage(), colour)


def _plant_trees(
    rng: np.random.Generator,
    picture: FloatArray,
    sky: Sky,
    ground: Ground,
    horizon: float,
    sun_side: float,
) -> None:
    """Trees and bushes, from the far ones to the near ones: a shadowed and a lit part of each crown."""
    size = picture.shape[0]
    plants = sorted(between(rng, 0.0, 1.0) ** 2 for _ in range(int(rng.integers(2, 9))))
    for nearness in plants:
        foot = horizon + 0.005 + 0.10 * nearness
        x, height = between(rng, -0.02, 1.02), between(rng, 0.08, 0.13) + 0.16 * nearness
        colour = mix(scaled(ground.plants, between(rng, 0.85, 1.15)), sky.low, 0.30 * (1 - nearness))
        trunk, crown, lit = Stencil(size), Stencil(size), Stencil(size)
        kind = pick(rng, ("acacia", "round", "cypress", "bush", "bush"))
        if kind == "bush":
            height *= 0.35
        blobs = {
            "acacia": [(0.26 * (i - 1.5), -0.92 + 0.05 * abs(i - 1.5), 0.27, 0.085) for i in range(4)],
            "round": [(0.15 * (i - 1), -0.68 - 0.12 * (i == 1), 0.22, 0.24) for i in range(3)],
            "cypress": [(0.0, -0.25 - 0.2 * i, 0.15 - 0.03 * i, 0.22) for i in range(4)],
            "bush": [(0.42 * (i - 1), -0.35 - 0.2 * (i == 1), 0.5, 0.45) for i in range(3)],
        }[kind]
        if kind in ("acacia", "round"):
            trunk.limb([(x, foot, 0.04 * height), (x + 0.05 * height, foot - 0.8 * height, 0.025 * height)])
        if kind == "acacia":
            for side in (-1, 1):
                trunk.limb(
                    [
                        (x, foot - 0.5 * height, 0.02 * height),
                        (x + side * 0.25 * height, foot - 0.88 * height, 0.012 * height),
                    ]
                )
        for bx, by, rx, ry in blobs:
            bx, by = bx + between(rng, -0.05, 0.05), by + between(rng, -0.03, 0.03)
            crown.oval(x + bx * height, foot + by * height, rx * height, ry * height)
            lit.oval(
                x + (bx + 0.25 * rx * sun_side) * height,
                foot + (by - 0.3 * ry) * height,
                0.65 * rx * height,
                0.6 * ry * height,
            )
        lay(picture, trunk.coverage(), mix((92, 68, 50), sky.low, 0.3 * (1 - nearness)))
        lay(picture, crown.coverage(), scaled(colour, 0.82))
        lay(picture, lit.coverage(), mix(scaled(colour, 1.12), (255, 235, 150), 0.10))


def _plant_tufts(rng: np.random.Generator, picture: FloatArray, ground: Ground, horizon: float) -> None:
    """Tufts of grass all over the ground, larger towards the viewer."""
    size = picture.shape[0]
    dark, light = Stencil(size), Stencil(size)
    for _ in range(int(rng.integers(8, 40))):
        nearness = between(rng, 0.1, 1.0)
        x, y = between(rng, 0.0, 1.0), horizon + (1 - horizon) * nearness
        height = 0.012 + 0.035 * nearness
        stencil = dark if rng.random() < 0.6 else light
        for lean in (-0.5, 0.0, 0.5):
            tip = (x + (lean + between(rng, -0.2, 0.2)) * height, y - height * between(rng, 0.7, 1.0))
            stencil.polygon([(x - 0.12 * height, y), tip, (x + 0.12 * height, y)])
    lay(picture, dark.coverage() * 0.7, mix(ground.plants, ground.near, 0.35))
    lay(picture, light.coverage() * 0.7, mix(ground.far, (255, 245, 190), 0.25))
