"""What a run folder or a file holds: networks, widths, costs, what is missing, what to run next."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ganprune.channels import ChannelGraph, Layer, graph_of
from ganprune.checkpoints.architecture import Role
from ganprune.checkpoints.layouts import LONE_FILE, locate
from ganprune.checkpoints.layouts.files import GANPRUNE_RUN
from ganprune.checkpoints.network_file import OpenedNetwork, opened
from ganprune.checkpoints.own import READERS_ALONE, Own
from ganprune.checkpoints.quartet import Quartet, assembled, members_of
from ganprune.errors import UsageError
from ganprune.images.sizes import STEP
from ganprune.models import cyclegan
from ganprune.models.traits import norm_of, widths_of
from ganprune.pruning import cost
from ganprune.settings.words import NET_NAMES, NetName
from ganprune.system.shell import command_line

SCHEMA = 1  # version of what `Inspection.to_json` returns

_TASKS = {"G_A": "translates A to B", "G_B": "translates B to A", "D_A": "judges B", "D_B": "judges A"}


@dataclass(frozen=True, slots=True)
class GroupReport:
    """Filters that are written by the same convolutions, each kept or dropped in all of them."""

    name: str
    role: str  # see `ganprune.channels.graph.Role`
    filters: int
    written_by: tuple[str, ...]  # convolutions, by the names of their modules
    read_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NetworkReport:
    """One network of a checkpoint."""

    name: str  # G_A, G_B, D_A or D_B; D for a discriminator whose file does not say which
    file: Path  # where it lies
    role: Role  # what it is for
    task: str  # its part in the CycleGAN, e.g. "translates A to B"
    architecture: str  # in words, e.g. "resnet_9blocks, ngf 64"
    widths: Mapping[str, Any]
    """Number of filters of every group, as in `GeneratorWidths` and `DiscriminatorWidths`."""
    params: int
    """Number of parameters, biases included."""
    macs_true: int
    """Multiply-accumulates for one picture, see `ganprune.pruning.cost`."""
    macs_paper: int
    precision: str
    """Number formats of its tensors in the file, e.g. "float16"."""
    norm: str
    """Kind of its norms: instance, affine-instance, batch or none."""
    relics: int
    """How many unused tensors of running statistics were dropped."""
    dropout: bool = False
    """Whether it was trained with dropout in its residual blocks."""
    entry: str = ""
    """What a file with several networks calls it; empty for a file of its own."""
    groups: tuple[GroupReport, ...] = ()
    """What can be pruned; of a discriminator nothing is."""
    kept_whole: tuple[str, ...] = ()
    """What the tracing does not understand, and so keeps all its channels; a line each."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """All there is to say of a checkpoint."""

    path: Path  # what was looked at
    naming: str  # title of the layout that the files follow
    size: int  # height and width of the picture that MACs are counted for, pixels
    networks: tuple[NetworkReport, ...]  # the networks that were found
    missing: tuple[NetName, ...]  # networks of a CycleGAN that were not found
    notes: tuple[str, ...]  # what a user may want to know, one line each
    options: Mapping[str, str]  # the training's options, when they were saved beside it
    problems: tuple[str, ...]  # what stands in the way of compressing it, one line each
    next_command: str  # what to type next; empty when there is nothing to be done with this file alone

    @property
    def found(self) -> tuple[str, ...]:
        """Names of the networks that were found."""
        return tuple(network.name for network in self.networks)

    def to_json(self) -> dict[str, Any]:
        """The same as plain values, with a schema version."""
        networks = [{**asdict(network), "file": str(network.file)} for network in self.networks]
        fields = asdict(self)
        return {"schema": SCHEMA, **fields, "path": str(self.path), "networks": networks, "found": self.found}


def inspect(path: Path, size: int = 256, own: Own = READERS_ALONE) -> Inspection:
    """Look at a run folder, or at a file and its siblings; MACs are counted for size × size pixels.

    Missing networks are no error. Raises UsageError when ``path`` does not exist or ``size`` is no
    positive multiple of 4, CheckpointError when what is there cannot be loaded.
    """
    if size < STEP or size % STEP:
        raise UsageError(f"--size must be a positive multiple of {STEP}, found {size}")
    path = Path(path)
    located = locate(path, own.fits)
    if located.naming == LONE_FILE:
        file = located.files["G_A"]
        member = opened(file, located.read(file, "G_A"), own=own)
        if member.role == "discriminator":
            return _lone_discriminator(file, size, member)
    located, members = members_of(located, own=own)
    quartet = assembled(path, located, members)
    return Inspection(
        path=path,
        naming=quartet.naming,
        size=size,
        networks=tuple(
            _report(name, located.files[name], size, member, located.entries.get(name, ""))
            for name, member in members.items()
        ),
        missing=_missing(quartet),
        notes=quartet.notes,
        options=quartet.options,
        problems=tuple(_problems(quartet)),
        next_command=_next_command(path, quartet, own),
    )


def _lone_discriminator(path: Path, size: int, member: OpenedNetwork) -> Inspection:
    problem = (
        "a discriminator alone, and its file name does not say of which domain; "
        "latest_net_D_A.pth judges B, latest_net_D_B.pth judges A"
    )
    report = _report("D", path, size, member)
    return Inspection(path, LONE_FILE, size, (report,), NET_NAMES, (), {}, (problem,), next_command="")


def _report(name: str, file: Path, size: int, member: OpenedNetwork, entry: str = "") -> NetworkReport:
    network, graph = member.network, graph_of(member.network)
    if member.role == "discriminator":  # its maps are not the picture's, divided by a number
        picture = torch.zeros(1, graph.inputs, size, size)
        graph = ChannelGraph.trace(network, picture)
    return NetworkReport(
        name=name, file=file, role=member.role, task=_TASKS.get(name, "judges A or B"),
        architecture=_words(network, graph), widths=_widths(network),
        params=sum(parameter.numel() for parameter in network.parameters()),
        macs_true=cost.macs(graph, size, size, "true"),
        macs_paper=cost.macs(graph, size, size, "paper"),
        precision=member.precision,
        norm=norm_of(network),
        relics=len(member.relics),
        dropout=member.dropout,
        entry=entry,
        groups=_groups(graph) if member.role == "generator" else (),
        kept_whole=graph.notes if member.role == "generator" else (),
    )  # fmt: skip


def _groups(graph: ChannelGraph) -> tuple[GroupReport, ...]:
    def names(layers: Iterable[Layer]) -> tuple[str, ...]:
        return tuple(layer.name for layer in layers)

    return tuple(
        GroupReport(name, group.role, group.size, names(graph.writers(name)), names(graph.readers(name)))
        for name, group in graph.groups.items()
    )


def _words(network: nn.Module, graph: ChannelGraph) -> str:
    if isinstance(network, cyclegan.Generator):
        return _generator_words(network.widths)
    if isinstance(network, cyclegan.Discriminator):
        return _discriminator_words(network.widths)
    kind = getattr(network, "family", "") or type(network).__name__
    return f"{kind}, filters {_span(graph.sizes.values())}"


def _span(widths: Collection[int]) -> str:
    low, high = min(widths, default=0), max(widths, default=0)
    return f"{low}" if low == high else f"{low}–{high}"


def _widths(network: nn.Module) -> dict[str, Any]:
    if isinstance(network, cyclegan.Discriminator):
        return asdict(network.widths)
    return widths_of(network)


def _generator_words(w: cyclegan.GeneratorWidths) -> str:
    kind = f"resnet_{w.blocks}blocks"
    if w == cyclegan.resnet_widths(w.stem, w.blocks, w.in_channels, w.out_channels):
        return f"{kind}, ngf {w.stem}"
    there = [filters for filters in w.inner if filters]
    inner = _span(there)
    inner += "" if len(there) == w.blocks else f" ({w.blocks - len(there)} taken out)"
    return f"{kind}, filters {w.stem}/{w.down}/{w.trunk}, inside the blocks {inner}, then {w.up1}/{w.up2}"


def _discriminator_words(w: cyclegan.DiscriminatorWidths) -> str:
    field = 7  # the last two layers have stride 1 and 4×4 kernels
    for _ in w.filters[:-1]:
        field = 2 * field + 2
    return f"PatchGAN {field}×{field}, filters {'/'.join(str(width) for width in w.filters)}"


def _missing(quartet: Quartet) -> tuple[NetName, ...]:
    """A generator alone and its discriminator, as CUT's and pix2pix's, are whole."""
    return () if quartet.alone and quartet.D_A is not None else quartet.missing()


def _problems(quartet: Quartet) -> list[str]:
    problems: list[str] = []
    missing = _missing(quartet)
    generators = [generator for generator in (quartet.G_A, quartet.G_B) if generator]
    if missing and quartet.naming != GANPRUNE_RUN.title:
        cure = (
            "`ganprune compress` does without, `ganprune train --discriminators-for …` trains them"
            if generators
            else "put the generators of the same training beside the discriminators"
        )
        problems.append(f"{', '.join(missing)} missing: {cure}")
    for generator in generators:
        if not isinstance(generator, cyclegan.Generator):
            continue
        found = {
            "netG": f"resnet_{generator.widths.blocks}blocks",
            "ngf": str(generator.widths.stem),
            "norm": generator.norm,
        }
        for option, value in found.items():
            told = quartet.options.get(option, value)
            line = f"the options say {option} {told}, the tensors {value}; the tensors count"
            if told != value and line not in problems:
                problems.append(line)
    return problems


def _next_command(path: Path, quartet: Quartet, own: Own) -> str:
    target = (path, *own.words())
    if quartet.G_A is None and quartet.G_B is None:
        return ""
    if quartet.naming == GANPRUNE_RUN.title:
        whole = (path / "config.toml").is_file()
        return command_line("report", str(path)) if whole else command_line("export", "--onnx", *target)
    dataroot = quartet.options.get("dataroot", "")
    data = dataroot if dataroot and Path(dataroot).is_dir() else "DIR"
    return command_line("compress", *target, "--data", data)
