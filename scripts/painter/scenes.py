"""Scenes in two looks: domain A with plain animals, domain B with striped ones.

A scene is fixed by (seed, index): landscape, number, size, build, pose and colour of the animals, light
and grain. The domain decides the animals' coats and nothing else, so ``draw(s, i, "A")`` and
``draw(s, i, "B")`` are ground truth for each other. Data sets take different indices for A and B.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ganprune.errors import UsageError
from ganprune.images.sources import DOMAINS, Domain

from .animals import Anatomy, Build, anatomy, draw_rings, random_build
from .landscape import Landscape, paint_landscape
from .stencil import Colour, FloatArray, Stencil, between, lay, mix, pick, scaled

SMALLEST = 32
"""Pictures of fewer pixels a side could not show the stripes."""

COATS: tuple[Colour, ...] = (
    (168, 92, 48),  # chestnut
    (118, 74, 46),  # bay
    (196, 150, 96),  # dun
    (138, 138, 142),  # grey
    (104, 102, 106),  # dark grey
    (150, 120, 92),  # mouse
    (206, 160, 92),  # palomino
    (92, 62, 46),  # dark brown
)


@dataclass(frozen=True, slots=True)
class Scene:
    """A drawn picture and where its animals are."""

    picture: npt.NDArray[np.uint8]
    """Red, green and blue: [size, size, 3]."""
    animal: npt.NDArray[np.bool_]
    """Every pixel that an animal touches: [size, size]. All others are the same in both domains."""


def draw(seed: int, index: int, domain: Domain, size: int) -> Scene:
    """Draw scene ``index`` of the series ``seed`` in the look of ``domain``, ``size`` × ``size`` pixels.

    Raises `UsageError` for a negative seed or index, an unknown domain, or fewer than 32 pixels.
    """
    if seed < 0 or index < 0:
        raise UsageError(
            f"scenes need a seed and an index of at least 0, found {seed} and {index}; count from 0"
        )
    if domain not in DOMAINS:
        raise UsageError(f"the domain of a scene must be A or B, found {domain!r}; choose one of the two")
    if size < SMALLEST:
        raise UsageError(f"scenes need at least {SMALLEST} pixels a side, found {size}; choose a larger size")
    place_rng, herd_rng, coat_rng, grain_rng = (
        np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, index, part)))) for part in range(4)
    )
    land = paint_landscape(place_rng, size)
    picture = land.picture
    touched = np.zeros((size, size), dtype=np.bool_)
    for build in _herd(herd_rng, land):
        touched |= _paint_animal(coat_rng, picture, build, land, domain)
    picture *= np.asarray(scaled(land.sky.light, between(grain_rng, 0.88, 1.04)), dtype=np.float32)
    grain = grain_rng.integers(-3, 4, size=(size, size, 1), dtype=np.int8)
    picture += grain.astype(np.float32)
    return Scene(np.rint(np.clip(picture, 0, 255)).astype(np.uint8), touched)


def _herd(rng: np.random.Generator, land: Landscape) -> list[Build]:
    """One to three animals, the far and small ones first."""
    count = pick(rng, (1, 1, 1, 1, 1, 2, 2, 2, 3))
    near = {1: (0.35, 0.42), 2: (0.26, 0.31), 3: (0.21, 0.25)}[count]
    builds: list[Build] = []
    places = sorted(range(count), key=lambda _: rng.random())
    for rank in range(count):
        x = (places[rank] + 0.5) / count + between(rng, -0.06, 0.06) / count
        length = between(rng, *near) * (1 - 0.08 * (count - 1 - rank))
        lowest = 0.95 - 0.10 * (count - 1 - rank)
        foot = max(between(rng, lowest - 0.10, lowest), land.horizon + 0.2)
        builds.append(random_build(rng, x, foot, length))
    return builds


def _paint_animal(
    rng: np.random.Generator, picture: FloatArray, build: Build, land: Landscape, domain: Domain
) -> npt.NDArray[np.bool_]:
    """Paint one animal with its shadow; returns the pixels that its body touches: [size, size]."""
    size = picture.shape[0]
    body = anatomy(build)
    coat = _coat(rng, land)
    stripes_far, stripes_near = _stripes(rng, size, body, build)  # drawn for A too: same random numbers
    dark = scaled(coat, 0.26)
    pale = mix((248, 244, 234), coat, 0.08)
    base = coat if domain == "A" else pale

    shadow = Stencil(size)
    shadow.oval(
        build.x - 0.12 * land.sun_side * build.length, build.foot, 0.62 * build.length, 0.07 * build.length
    )
    lay(picture, shadow.coverage(blur=0.02) * 0.45, scaled(land.ground.near, 0.42))

    touched = np.zeros((size, size), dtype=np.bool_)

    def paint(stencil: Stencil, colour: Colour | FloatArray) -> None:
        coverage = stencil.coverage()
        lay(picture, coverage, colour)
        touched[coverage > 0] = True

    def striped(stripes: Stencil, shade: FloatArray) -> FloatArray:
        coated = np.broadcast_to(np.asarray(base, dtype=np.float32), (size, size, 3)).copy()
        if domain == "B":
            lay(coated, stripes.coverage(), dark)
        return coated * shade[..., None]

    far, near, trim = Stencil(size), Stencil(size), Stencil(size)
    for leg in body.legs[:2]:
        far.limb(leg)
    paint(far, striped(stripes_far, np.full((size, size), 0.72, dtype=np.float32)))
    hair, ear = Stencil(size), Stencil(size)
    hair.limb(body.tail)
    hair.limb(body.mane)
    paint(hair, scaled(coat, 0.42))
    for spine in (body.trunk, body.neck, body.head, *body.legs[2:]):
        near.limb(spine)
    for triangle in body.ears:
        ear.polygon(triangle)
    paint(ear, scaled(base, 0.8))
    paint(near, striped(stripes_near, _shade(near, build, land)))
    trim.limb(body.muzzle)
    trim.oval(body.eye[0], body.eye[1], body.eye[2], body.eye[2])
    for leg in body.legs:
        trim.limb(leg[-2:])
    paint(trim, dark)
    return touched


def _coat(rng: np.random.Generator, land: Landscape) -> Colour:
    """A coat that stands out from the ground."""
    ranked = sorted(
        (pick(rng, COATS) for _ in range(3)),
        key=lambda c: sum(
            abs(a - z) for a, z in zip(c, mix(land.ground.near, land.ground.far, 0.4), strict=True)
        ),
    )
    return scaled(mix(ranked[-1], pick(rng, COATS), between(rng, 0.0, 0.25)), between(rng, 0.92, 1.08))


def _stripes(rng: np.random.Generator, size: int, body: Anatomy, build: Build) -> tuple[Stencil, Stencil]:
    """The striped parts of the far legs and of all the rest: rings on each limb, pasted over the trunk's."""
    period = max(0.056, 0.17 * build.length) * between(rng, 0.95, 1.2)
    far, near = Stencil(size), Stencil(size)
    for leg in body.legs[:2]:
        draw_rings(rng, far, leg, period=0.62 * period)
    belly = build.facing  # the belly is on the right of an animal that faces right
    draw_rings(rng, near, body.trunk, period=period, bow=0.12, lean=0.9 * belly, taper=0.45 * belly)
    parts = [(leg[5:], 0.62) for leg in body.legs[2:]]
    parts += [(body.neck[3:], 0.85), (body.head, 0.6)]
    for spine, scale in parts:
        region, rings = Stencil(size), Stencil(size)
        region.limb(spine)
        draw_rings(rng, rings, spine, period=scale * period)
        near.replace_within(region, rings)
    return far, near


def _shade(shape: Stencil, build: Build, land: Landscape) -> FloatArray:
    """Light from above and from the sun's side, guessed from the silhouette: [size, size] around 1."""
    size = shape.size
    soft = shape.coverage(blur=0.10 * build.length)
    step = max(1, round(0.08 * build.length * size))
    above, below = np.roll(soft, step, axis=0), np.roll(soft, -step, axis=0)
    left, right = np.roll(soft, step, axis=1), np.roll(soft, -step, axis=1)
    light = (below - above) + (0.5 * land.sun_side) * (left - right)
    return np.clip(0.97 + 0.38 * light, 0.6, 1.25)
