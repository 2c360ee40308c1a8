"""Settings that nobody asked for adapt to the checkpoint and the pictures; what was asked for is binding.

    pairs                  to a discriminator that sees input and output, to files that hold both
    direction, losses      to the networks and the pictures that are there
    size                   to pictures that are all smaller, to the crops of the training, to a discriminator
    target, alignment      to what layers of these widths can come to
    refit of individuals   to the memory that it takes
    batch                  to the processes that share it

What comes out depends on the checkpoint and the pictures alone. A run folder keeps it, so it goes on by the
same settings whatever has changed around it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

import torch
from torch import nn

from ganprune.channels import graph_of
from ganprune.checkpoints import Quartet
from ganprune.errors import DataError, UsageError
from ganprune.images import PictureFolders, open_picture
from ganprune.images.sizes import SMALLEST
from ganprune.models.traits import smallest_picture, stride_of
from ganprune.pruning.genome import Layout
from ganprune.pruning.latency import Latency, LatencyTable
from ganprune.pruning.repair import Repairer
from ganprune.refit.patches import Convolution, matrix, refittable
from ganprune.settings import CompressSettings, typed
from ganprune.settings.words import DOMAINS, OTHER, Domain
from ganprune.stages import needed_domains, needed_networks
from ganprune.training import ProcessGroup

LOOKED_AT = 16  # so many pictures of each domain are looked at for their size
TARGETS: Mapping[str, Sequence[float]] = {
    "target-macs": (0.1, 0.15, 0.25, 0.35, 0.5, 0.75, 1.0),
    "speed-up": (10.0, 7.0, 4.0, 3.0, 2.0, 1.5, 1.0),
}
"""What is tried where the default of a target cannot be reached, the most ambitious first."""
AIMLESS = 0.25  # where there is no target, layers must be able to come to so few MACs


MOST_GRAMS = 6 << 30
"""Bytes of Gram matrices that individuals are refitted by; those of a CycleGAN's generator take 0.85 GiB."""


Change = tuple[Mapping[str, object], str]  # flat values that would fit, and why
Step = Callable[[CompressSettings], Iterator[Change]]  # looks at one thing, by what was found so far


@dataclass(frozen=True, slots=True)
class Adapted:
    """Settings that fit, and what was changed for that."""

    settings: CompressSettings
    before: Mapping[str, object]  # flat values that were replaced, by their keys
    note: str  # all of it in one line; empty where nothing was changed


def adapted(
    settings: CompressSettings,
    quartet: Quartet,
    generators: Mapping[Domain, nn.Module],
    find: Callable[[Sequence[Domain]], PictureFolders],
) -> Adapted:
    """Settings that can be carried out with a checkpoint and pictures, as far as what was asked for allows.

    quartet: what is there; generators: with those that will be trained before the search; one that lacks is
    not adapted to. find: looks for the pictures of some domains, and says nothing where there are none.
    """
    folders = find(DOMAINS)
    steps: list[Step] = [partial(_pairs, quartet=quartet, folders=folders)]
    if not settings.recovery.recover_discriminators:
        steps += [partial(step, quartet=quartet, folders=folders) for step in (_direction, _losses)]
    one_way = "direction" in settings.given and settings.search.direction != "both"
    if one_way or not settings.recovery.recover_discriminators:  # else the second generator is trained
        steps.append(partial(_partners, quartet=quartet))
    steps += [
        partial(_size, quartet=quartet, find=find, stride=stride_of(generators.values())),
        partial(_widths, generators=generators, tables={}),
        partial(_refit, generators=generators),
        _batch,
    ]
    return _step_by_step(settings, steps)


def adapted_to_speed(
    settings: CompressSettings, generators: Mapping[Domain, nn.Module], tables: Mapping[Domain, LatencyTable]
) -> Adapted:
    """Settings that can be carried out on a machine of this speed, likewise: --target-ms decides, too."""
    return _step_by_step(settings, [partial(_widths, generators=generators, tables=tables)])


def _step_by_step(settings: CompressSettings, steps: Sequence[Step]) -> Adapted:
    found, told = settings, list[str]()
    for step in steps:
        for values, why in step(found):
            now = found.to_flat()
            new = {key: v for key, v in values.items() if key not in settings.given and now[key] != v}
            if new:
                found = found.changed(new)
                told.append(f"{' '.join(typed(key, v) for key, v in new.items())} ({why})")
    now = found.to_flat()
    before = {key: value for key, value in settings.to_flat().items() if now[key] != value}
    return Adapted(
        found, before, f"chosen to fit, as nothing else was asked for: {'; '.join(told)}" if told else ""
    )


def _direction(settings: CompressSettings, quartet: Quartet, folders: PictureFolders) -> Iterator[Change]:
    """The way that there is a generator and, if there are pictures, pictures for."""
    pictured = [side for side in DOMAINS if folders.pictures("train", side)]
    there: list[Domain] = [side for side in DOMAINS if getattr(quartet, f"G_{side}") is not None]
    able: list[Domain] = [side for side in there if side in pictured] or there
    if len(able) == 1 and settings.search.sides != tuple(able):
        other = OTHER[able[0]]
        why = f"there are no pictures of {other}" if other in there else f"there is no G_{other}"
        yield {"direction": "AtoB" if able[0] == "A" else "BtoA"}, why


def _losses(settings: CompressSettings, quartet: Quartet, folders: PictureFolders) -> Iterator[Change]:
    """What can be computed with the networks and pictures that there are."""
    sides = settings.search.sides
    judges = [f"D_{side}" for side in sides if getattr(quartet, f"D_{side}") is None]
    alone = {"recipe": "distil", "tune-steps": 0, "distil-gan": 0.0}
    if judges:
        yield {"loss": "gena", "distil-features": 0.0} | alone, f"there is no {' and no '.join(judges)}"
    for side in sides:
        if folders.pictures("train", side) and not folders.pictures("train", OTHER[side]):
            yield {"lambda-identity": 0.0} | alone, f"there are no pictures of {OTHER[side]}"


def _partners(settings: CompressSettings, quartet: Quartet) -> Iterator[Change]:
    """What can be computed without the generator that translates back."""
    for other in (OTHER[side] for side in settings.search.sides):
        if getattr(quartet, f"G_{other}") is None:
            yield {"lambda-cycle": 0.0, "recipe": "distil", "tune-steps": 0}, f"there is no G_{other}"


def _pairs(settings: CompressSettings, quartet: Quartet, folders: PictureFolders) -> Iterator[Change]:
    """Pictures of A and B that belong together."""
    if folders.paired and all(folders.pictures("train", side) for side in DOMAINS):
        yield {"paired": True}, "as it was trained" if quartet.in_pairs else "two in a file, side by side"


def _size(
    settings: CompressSettings,
    quartet: Quartet,
    find: Callable[[Sequence[Domain]], PictureFolders],
    stride: int,
) -> Iterator[Change]:
    """A multiple of ``stride``, no larger than in training or than the pictures; large enough for a D."""
    folders = find(needed_domains(settings))
    size, crops = settings.pictures.size, quartet.options.get("crop_size", "")
    if crops.isdecimal() and len(crops) < 6:
        largest, why = int(crops), f"trained with crop_size {crops}"
    else:
        sides = settings.search.sides
        looked_at = [path for side in sides for path in _some(folders.pictures("train", side))]
        largest, why = _largest(looked_at, size), "no picture is larger"
    fitting = max(largest // stride, -(-SMALLEST // stride)) * stride
    if size % stride and fitting >= size:
        fitting, why = -(-size // stride) * stride, f"its maps need multiples of {stride}"
    if fitting < size or size % stride:
        yield {"size": fitting}, why
        size = fitting if "size" not in settings.given else size
    judges = [getattr(quartet, name) for name in needed_networks(settings) if name.startswith("D_")]
    least = max((smallest_picture(judge) for judge in judges if judge is not None), default=0)
    if least > size:
        yield {"size": -(-least // stride) * stride}, "its discriminators need no less"


def too_small(settings: CompressSettings, quartet: Quartet, folders: PictureFolders) -> str | None:
    """What to know of a --size that is far below what the networks were trained on, or the pictures."""
    size, crops = settings.pictures.size, quartet.options.get("crop_size", "")
    if crops.isdecimal() and int(crops) > size:
        larger = f"the networks were trained with crop_size {crops}"
    else:
        paths = [path for side in settings.search.sides for path in _some(folders.pictures("train", side))]
        if (pixels := _largest(paths, 2 * size)) < 2 * size or not paths:
            return None
        larger = f"pictures have {pixels} pixels"
    return f"--size {size}, but {larger}: what is found and measured at {size} need not hold there"


def _some(paths: Sequence[Path]) -> Sequence[Path]:
    """At most `LOOKED_AT` of them, evenly."""
    return paths[:: -(-len(paths) // LOOKED_AT) or 1]


def _largest(paths: Sequence[Path], enough: int) -> int:
    """Of the pictures' shorter sides, pixels; ``enough`` as soon as one is, or where none can be read."""
    sides = list[int]()
    for path in paths:
        try:
            sides.append(min(open_picture(path, None).shape[1:]))
        except DataError:  # whoever reads all pictures judges those
            continue
        if sides[-1] >= enough:
            break
    return max(sides, default=enough)


def _widths(
    settings: CompressSettings, generators: Mapping[Domain, nn.Module], tables: Mapping[Domain, LatencyTable]
) -> Iterator[Change]:
    """The target, or the next one that can be reached; then the coarsest steps that come to it.

    tables: of this machine's speed; without them --target-ms is left out.
    """
    search = settings.search
    easier: list[dict[str, object]] = [{}]
    for key, values in TARGETS.items():
        now = search.speed_up if key == "speed-up" else search.target_macs
        if now is not None and key not in settings.given:
            less = [v for v in values if (v < min(now) if key == "speed-up" else v > max(now))]
            easier.extend({key: [value, value]} for value in less)
    halves = [search.align >> i for i in range(search.align.bit_length())]
    aligns = halves[:1] if "align" in settings.given else halves
    for target in easier:
        align = _coarsest(settings.changed(target), generators, tables, aligns)
        if align is None:
            continue
        if target:
            notes = [note for generator in generators.values() for note in graph_of(generator).notes]
            why = "the most that these generators can come to" + "".join(f": {note}" for note in notes[:1])
        else:
            why = "coarser steps leave no choice" if search.aimless else "coarser steps miss the target"
        yield {"align": align} | target, why
        return


def _coarsest(
    settings: CompressSettings,
    generators: Mapping[Domain, nn.Module],
    tables: Mapping[Domain, LatencyTable],
    aligns: Sequence[int],
) -> int | None:
    """The first step that comes to the target, else the first that comes below it; None: none does."""
    below: int | None = None
    for align in aligns:
        met = _reach(settings, generators, tables, align)
        if met:
            return align
        below = align if below is None and met is not None else below
    return below


def _reach(
    settings: CompressSettings,
    generators: Mapping[Domain, nn.Module],
    tables: Mapping[Domain, LatencyTable],
    align: int,
) -> bool | None:
    """Whether networks in steps of ``align`` come to within 2 % of all targets; None: none is so small."""
    search, met, aimless = replace(settings.search, align=align), True, settings.search.aimless
    for side in filter(generators.__contains__, search.sides):
        layout = Layout.of(generators[side], search.layout)
        limits, latency = search.constraints(side), None
        if tables:
            latency = Latency(tables[side], layout)
        else:
            limits = replace(limits, target_ms=None)
        limits = replace(limits, target_macs=AIMLESS) if aimless else limits
        try:
            repairer = Repairer(layout, limits, latency)
        except UsageError:
            return None
        one = repairer(layout.full()[None], torch.Generator().manual_seed(0))[0]
        met = met and (aimless or all(on_target for _, _, on_target in repairer.outcome(one)))
    return met


def _refit(settings: CompressSettings, generators: Mapping[Domain, nn.Module]) -> Iterator[Change]:
    """None while the search lasts, where the Gram matrices of all layers would fill the memory."""
    if not settings.search.refit:
        return
    needed = 0
    for side in filter(generators.__contains__, settings.search.sides):
        network = generators[side]
        for name in refittable(network, graph_of(network)):
            needed += 8 * matrix(cast("Convolution", network.get_submodule(name))).shape[1] ** 2  # float64
    if needed > MOST_GRAMS:
        yield {"refit": False}, f"its Gram matrices would take {needed / 2**30:.0f} GiB"


def _batch(settings: CompressSettings) -> Iterator[Change]:
    """The least that all processes of the fine-tuning have equal shares of."""
    processes, batch = settings.compute.processes, settings.tuning.tune_batch
    fitting = ProcessGroup(size=processes).shared(batch)
    yield {"tune-batch": fitting}, f"{processes} processes share every batch"
