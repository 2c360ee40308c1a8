"""What translates: the network of one direction, out of a checkpoint, a run, a lone file or an ONNX file."""

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from torch import nn

from ganprune.checkpoints import NET_NAMES, NetName, Own, Quartet, load_quartet
from ganprune.checkpoints.direction import Direction, facing
from ganprune.checkpoints.layouts import locate
from ganprune.checkpoints.options import read_options
from ganprune.checkpoints.own import READERS_ALONE
from ganprune.errors import UsageError
from ganprune.images.sizes import STEP
from ganprune.models.picture_statistics import OPTION
from ganprune.models.traits import channels_of, stride_of
from ganprune.onnx_files.cost import PictureInput
from ganprune.system.device import Precision
from ganprune.system.hub import local
from ganprune.translation.memory import bytes_a_pixel
from ganprune.translation.translators import NetworkTranslator, OnnxTranslator, Translator

DIRECTIONS: tuple[Direction, ...] = get_args(Direction)


@dataclass(frozen=True, slots=True)
class Source:
    """A network that is ready to translate."""

    network: Path  # the file that it came from
    direction: Direction  # which way it translates; names of results follow it
    translate: Translator  # the network
    back: Translator | None = None  # its partner, which translates the other way; None: not there
    channels: tuple[int, int] = (3, 3)  # of the pictures that it takes and gives
    takes: PictureInput | None = None
    """The input of an ONNX file; None: any picture whose sides are multiples of 4."""
    bytes_a_pixel: int = 0
    """Memory that it needs for each pixel of a picture, see `ganprune.translation.memory`; 0: unknown."""
    device: str = "cpu"  # where it computes
    stride: int = STEP  # heights and widths that it takes are multiples of this
    in_pairs: bool = False
    """Whether it was trained on pairs; then two pictures in a file, side by side, are told apart."""
    notes: tuple[str, ...] = ()  # what a user may want to know, one line each


def open_source(
    path: Path,
    direction: str | None = None,
    *,
    both: bool = False,
    device: str = "cpu",
    precision: Precision = "float32",
    threads: int = 1,
    picture_statistics: bool = False,
    own: Own = READERS_ALONE,
) -> Source:
    """Open a CycleGAN folder, a run folder, any one file of them, a lone generator, or an ONNX file; or one
    at Hugging Face, see `ganprune.system.hub`.

    direction: without one, that of the file given where it is G_B (for an ONNX file: where its name ends
    in G_B), else AtoB. A generator by itself and an ONNX file translate one way whatever ``direction``
    says; it then only names the results. both: the partner is needed too. Other networks are not read.
    device, precision: of PyTorch's networks. threads: of ONNX Runtime; PyTorch's are set by
    `ganprune.system.device.cpu_threads`. picture_statistics: batch norm by each picture's own, see
    `ganprune.models.picture_statistics`. own: the user's modules that the networks are of.

    Raises `UsageError` for an unknown direction, a path that does not exist, and what an ONNX file cannot
    do; `MissingNetwork` where the network is not there; `CheckpointError` and `InputError` for files that
    cannot be used.
    """
    if direction is not None and direction not in DIRECTIONS:
        raise UsageError(f"--direction must be AtoB or BtoA, found {direction!r}")
    path = local(path)
    if path.suffix == ".onnx":
        if both:
            raise UsageError(
                f"--save rec needs both generators, found one in {path}; give a run or a checkpoint folder"
            )
        if device != "cpu" or precision != "float32":
            raise UsageError(
                f"ONNX files are run on the CPU in float32, found --device {device} and --set "
                f"precision={precision}; leave them out, or give a checkpoint"
            )
        if picture_statistics:
            raise UsageError(
                f"{OPTION} is chosen when a network is exported, found {path}; give a checkpoint, or export "
                f"it again with {OPTION}"
            )
        onnx = OnnxTranslator(path, threads)
        return Source(
            path,
            _or_own(direction, path.stem.endswith("G_B")),
            onnx,
            channels=(onnx.inputs, onnx.outputs),
            takes=onnx.takes,
            bytes_a_pixel=bytes_a_pixel(None),
        )
    located = locate(path, own.fits)
    files = located.files
    chosen = _or_own(direction, path == files.get("G_B"))
    if located.alone and direction is None:  # the options of its training name the domains of its data
        told = read_options(path if path.is_dir() else path.parent).get("direction")
        chosen = "BtoA" if told == "BtoA" else chosen
    name: NetName = "G_A" if chosen == "AtoB" else "G_B"
    partner: NetName = "G_B" if name == "G_A" else "G_A"
    used: tuple[NetName, ...] = (name, partner) if both else (name,)
    if located.alone and not both:
        used = ("G_A",)
    there = set(used) <= files.keys()  # else all are read, to say what is there, or because one has no name
    quartet = facing(load_quartet(path, used if there else NET_NAMES, own), chosen)
    if picture_statistics:
        quartet = quartet.by_picture()
    network = _network(quartet, name, device, precision)
    back = _network(quartet, partner, device, precision) if both else None
    generator = quartet.G_A if name == "G_A" else quartet.G_B
    needs = bytes_a_pixel(generator, 2 if precision == "bfloat16" else 4)
    return Source(
        quartet.files[name], chosen, network, back, channels=channels_of(generator) if generator else (3, 3),
        bytes_a_pixel=needs, device=device, notes=quartet.notes, in_pairs=quartet.in_pairs,
        stride=stride_of([generator]) if generator else STEP,
    )  # fmt: skip


def _or_own(direction: Direction | None, is_G_B: bool) -> Direction:
    return direction or ("BtoA" if is_G_B else "AtoB")


def _network(quartet: Quartet, name: NetName, device: str, precision: Precision) -> NetworkTranslator:
    quartet.require(name)
    generator: nn.Module = getattr(quartet, name)
    return NetworkTranslator(generator, device, precision)
