"""A user's own modules: networks of any architecture, built by a function of a user's file.

A state dict tells shapes and no architecture. Where no reader knows one, the user names a function that makes
the module, and a checkpoint's tensors are put into that. Their number of channels may be another in every
layer, as in slim generators. To name a function is to run its file; a checkpoint alone never runs code.
"""

import copy
import importlib.util
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle
import torch
from torch import Tensor, nn

from ganprune.channels.blocks import CONSTANT
from ganprune.channels.graph import SIZES, channels_to_try
from ganprune.checkpoints.contents import split_relics
from ganprune.checkpoints.folding import with_plain_weights
from ganprune.errors import CheckpointError, UsageError
from ganprune.models.layers import COUNT
from ganprune.pruning.rebuild import with_tensors, without_blocks

Given = str | nn.Module  # ``FILE.py:FACTORY``, or a module


_OPTIONS = {"generator": "--generator", "discriminator": "--set discriminator"}


@dataclass(frozen=True, slots=True)
class Own:
    """Modules of a user, whose weights do not count; None: what readers know."""

    generator: nn.Module | None = None
    discriminator: nn.Module | None = None
    names: Mapping[str, str] | None = None
    """What makes them, by the names of the two fields, for a run's record."""

    @classmethod
    def of(cls, generator: Given | None = None, discriminator: Given | None = None) -> "Own":
        """Of what a user gives. Raises `UsageError` for a factory that cannot be used."""
        given = {"generator": generator, "discriminator": discriminator}
        modules = {key: made_by(value, _OPTIONS[key]) for key, value in given.items() if value is not None}
        names = {
            key: _absolute(value) if isinstance(value, str) else type(value).__name__
            for key, value in given.items()
            if value is not None
        }
        return cls(**modules, names=names or None)

    def words(self) -> list[str]:
        """As options of a command."""
        words = list[str]()
        for key, name in (self.names or {}).items():
            words += [_OPTIONS[key], name] if key == "generator" else ["--set", f"{key}={name}"]
        return words

    def read(self, role: str, tensors: Mapping[str, Tensor]) -> nn.Module | None:
        """The user's module with these tensors; None where there is none for the role.

        float32, on the CPU, in eval mode, without gradients. Raises `CheckpointError` for tensors that are
        missing, left over, or do not fit.
        """
        like: nn.Module | None = getattr(self, role)
        network = None if like is None else fitted(like, tensors)
        if network is not None and role == "generator":
            check_pictures(network)
        return network

    @property
    def fits(self) -> Callable[[Mapping[str, Tensor]], bool] | None:
        """Whether tensors are those of the user's generator, by their names; None where there is no such."""
        like = self.generator
        if like is None:
            return None
        named = like.state_dict(), with_plain_weights(like).state_dict()
        return lambda tensors: any(_is_of(tensors, wanted) for wanted in named)


READERS_ALONE = Own()

MOST_VALUE = 2
"""A grey picture plus what tanh makes of it stays below; larger values are those of other pictures."""


def made_by(given: Given, option: str) -> nn.Module:
    """The module of ``FILE.py:FACTORY``, or the one given. option: what a message calls it."""
    if isinstance(given, nn.Module):
        return given
    place, _, name = given.rpartition(":")
    path = Path(place)
    if not place or not name.isidentifier():
        raise UsageError(f"{option} must be FILE.py:FACTORY, found {given!r}")
    if not path.is_file():
        raise UsageError(f"{option} {given}: {path} does not exist; give the file that defines {name}")
    factory = getattr(_imported(path, option), name, None)
    if not callable(factory):
        raise UsageError(f"{option} {given}: {path} defines no function or class {name}")
    try:
        made: Any = factory()
    except Exception as error:
        raise UsageError(
            f"{option} {given}: {name}() raised {_told(error)}; it is called without arguments"
        ) from error
    if not isinstance(made, nn.Module):
        raise UsageError(
            f"{option} {given}: {name}() returned {type(made).__name__}, an nn.Module was needed"
        )
    return made


def _imported(path: Path, option: str) -> Any:
    """A file as a module; files beside it can be imported by it."""
    spec = importlib.util.spec_from_file_location(f"ganprune_own_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{option}: {path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look for it there
    cloudpickle.register_pickle_by_value(module)  # other processes have not imported it
    sys.path.insert(0, str(path.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UsageError(f"{option}: {path} cannot be imported: {_told(error)}") from error
    finally:
        sys.path.pop(0)
    return module


def fitted(like: nn.Module, tensors: Mapping[str, Tensor]) -> nn.Module:
    """A copy of a module with a file's tensors, whatever widths they have; see `Own.read`.

    Spectral norm, weight norm and other parametrizations become plain weights.
    """
    plain = with_plain_weights(like)
    if like.state_dict().keys() != plain.state_dict().keys():
        in_parts = _named(tensors, like.state_dict())
        if in_parts.keys() == like.state_dict().keys():
            whole = copy.deepcopy(like)
            try:
                whole.load_state_dict(in_parts)
            except RuntimeError as error:  # shapes that differ
                raise CheckpointError(f"does not fit {type(like).__name__}: {_told(error)}") from error
            tensors = with_plain_weights(whole).state_dict()
    like = plain
    held = _named(tensors, like.state_dict())
    constants = {name: tensor for name, tensor in held.items() if name.rpartition(".")[2] == CONSTANT}
    like = without_blocks(like, constants) if constants else copy.deepcopy(like)
    wanted = like.state_dict()
    held = _of_any_age(held, wanted)
    missing, over = [n for n in wanted if n not in held], [n for n in held if n not in wanted]
    if missing or over:
        lacks = f"lacks {missing[0]}" if missing else ""
        holds = f"holds {over[0]}, which the module has not" if over else ""
        raise CheckpointError(
            f"does not fit {type(like).__name__}: {' and '.join(filter(None, (lacks, holds)))}"
        )
    for name, tensor in held.items():
        if tensor.ndim != wanted[name].ndim or tensor.shape[2:] != wanted[name].shape[2:]:
            shapes = ("×".join(map(str, t.shape)) or "()" for t in (tensor, wanted[name]))
            raise CheckpointError(
                f"{name} has shape {next(shapes)}, that of {type(like).__name__} is {next(shapes)}: "
                "numbers of channels may differ, kernels may not"
            )
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise CheckpointError(f"{name} holds NaN or infinite values; take an epoch from before that")
    network = with_tensors(
        like,
        {n: (t.float() if t.is_floating_point() else t).detach().cpu().clone() for n, t in held.items()},
    )
    network = network.float().cpu().requires_grad_(False).eval()
    _run(network)
    return network


def _run(network: nn.Module) -> None:
    """Run it once on a blank picture; norms without weights learn how many channels they have.

    Raises `CheckpointError` where layers do not fit each other.
    """

    def tell(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        setattr(module, "num_features", inputs[0].shape[1])  # noqa: B010

    norms = [module for module in network.modules() if isinstance(module, nn.InstanceNorm2d)]
    handles = [norm.register_forward_pre_hook(tell) for norm in norms]
    try:
        _take(network)
    finally:
        for handle in handles:
            handle.remove()


def check_pictures(generator: nn.Module) -> None:
    """Raises `CheckpointError` unless pictures stay as large as they are; notes values that none can hold."""
    side, made = _take(generator)
    if made.shape[2:] != (side, side):
        raise CheckpointError(
            f"{type(generator).__name__} makes {made.shape[3]}×{made.shape[2]} pixels of {side}×{side}; a "
            "network that keeps the size of pictures was needed"
        )
    if (most := float(made.abs().max())) > MOST_VALUE:
        note = (
            f"it makes values up to {most:.0f} of a grey picture, and what lies beyond -1 (black) and 1 "
            "(white) is cut off: where it was trained on others, as 0 to 255, put a module around it that "
            "takes and gives those"
        )
        setattr(generator, "notes", (note,))  # noqa: B010


@torch.no_grad()
def _take(network: nn.Module) -> tuple[int, Tensor]:
    """Height and width of a blank picture, the smallest of `SIZES` that it takes, and what it makes of it."""
    raised = list[Exception]()
    for channels in channels_to_try(network):
        for side in SIZES:
            try:
                made = network(torch.zeros(1, channels, side, side))
            except Exception as error:  # the user's own code may raise anything
                raised.append(error)
                continue
            if not isinstance(made, Tensor):
                raise CheckpointError(
                    f"{type(network).__name__} returns a {type(made).__name__}, one tensor [n, c, h, w] was "
                    "needed; put a module around it that returns that alone"
                )
            return side, made
    likeliest = raised[len(SIZES) - 1]  # of the largest picture with the first number of channels
    told = f"{type(network).__name__} with these tensors raises {_told(likeliest)}"
    raise CheckpointError(told) from likeliest


def _of_any_age(held: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """With the counts that norms of PyTorch before 0.4.1 lack, without the statistics that its instance norms
    saved and did not use."""
    relics = {name for name in split_relics(held)[1] if name not in wanted}
    counts = {name: tensor for name, tensor in wanted.items() if name.endswith(f".{COUNT}")}
    return {name: tensor for name, tensor in {**counts, **held}.items() if name not in relics}


def _is_of(tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> bool:
    """Whether these are all tensors of one module, whose residual blocks may be gone, and no others."""
    try:
        held = _named(tensors, wanted)
    except CheckpointError:
        return False
    gone = tuple(name.removesuffix(CONSTANT) for name in held if name.endswith(f".{CONSTANT}"))
    needed = [name for name in wanted if not name.endswith(f".{COUNT}")]
    return len(held) == len(tensors) and all(name in held or name.startswith(gone) for name in needed)


def _named(tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """By the names of the module, whatever parts stand before all names of the one or of the other.

    Other networks beside it are left out. Raises `CheckpointError` where several could be the module's.
    """
    needed = [name for name in wanted if not name.endswith(f".{COUNT}")]
    first = next(iter(needed), "")
    before = [name.removesuffix(first) for name in tensors if name.endswith(f".{first}")]
    whole = [start for start in ("", *before) if all(start + name in tensors for name in needed)]
    whole = [] if "" in whole else whole
    if len(whole) > 1:
        told = " and ".join(start.removesuffix(".") for start in whole)
        raise CheckpointError(
            f"holds several networks that fit, {told}; save the state_dict() of one by itself"
        )
    if whole:
        (start,) = whole
        return {name.removeprefix(start): t for name, t in tensors.items() if name.startswith(start)}
    for outer, inner, held in ((tensors, wanted, True), (wanted, tensors, False)):
        ending = next((name for name in outer if any(name.endswith(f".{n}") for n in inner)), "")
        before = max(
            (ending[: len(ending) - len(n)] for n in inner if ending.endswith(f".{n}")), key=len, default=""
        )
        if before and all(name.startswith(before) for name in outer):
            if held:
                return {name.removeprefix(before): tensor for name, tensor in tensors.items()}
            return {before + name: tensor for name, tensor in tensors.items()}
    return dict(tensors)


def _absolute(given: str) -> str:
    place, _, name = given.rpartition(":")
    return f"{Path(place).resolve()}:{name}"


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
