"""Checkpoint files for tests: small honest ones, and forged ones that lie about their sizes."""

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ganprune.models.cyclegan import Discriminator, DiscriminatorWidths, Generator, GeneratorWidths, Norm

WIDTHS = GeneratorWidths(stem=2, down=3, trunk=4, inner=(5, 1), up1=3, up2=2)
"""A slim generator in which no two neighbouring groups are alike."""

FILTERS = DiscriminatorWidths((2, 3, 4))

CYCLEGAN_NAMES = {name: f"latest_net_{name}.pth" for name in ("G_A", "G_B", "D_A", "D_B")}
A2B_NAMES = {"G_A": "netG_A2B.pth", "G_B": "netG_B2A.pth", "D_A": "netD_B.pth", "D_B": "netD_A.pth"}
"""The same networks under the names of aitorzip's code, where netD_B judges domain B."""


_T = TypeVar("_T")


def seeded(make: Callable[[], _T], seed: int) -> _T:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def learned(network: nn.Module) -> nn.Module:
    """The same network, in place, with weights and statistics in its norms as after a training."""
    for module in network.modules():
        if isinstance(module, nn.InstanceNorm2d) and module.affine:
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.3)
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.running_var):
                assert tensor is not None
                nn.init.uniform_(tensor, 0.5, 1.5)
            for tensor in (module.bias, module.running_mean):
                assert tensor is not None
                nn.init.normal_(tensor, 0, 0.3)
            assert module.num_batches_tracked is not None
            module.num_batches_tracked.fill_(7)
    return network


def make_generator(seed: int, widths: GeneratorWidths = WIDTHS, norm: Norm = "instance") -> Generator:
    network = seeded(lambda: learned(Generator(widths, norm)), seed)
    assert isinstance(network, Generator)
    return network.eval().requires_grad_(False)


def make_discriminator(
    seed: int, widths: DiscriminatorWidths = FILTERS, norm: Norm = "instance"
) -> Discriminator:
    network = seeded(lambda: learned(Discriminator(widths, norm)), seed)
    assert isinstance(network, Discriminator)
    return network.eval().requires_grad_(False)


def make_networks(norm: Norm = "instance") -> dict[str, nn.Module]:
    return {
        "G_A": make_generator(1, norm=norm), "G_B": make_generator(2, norm=norm),
        "D_A": make_discriminator(3, norm=norm), "D_B": make_discriminator(4, norm=norm),
    }  # fmt: skip


def write_networks(folder: Path, names: Mapping[str, str]) -> dict[str, nn.Module]:
    """Save one CycleGAN into a folder under the file names given, and return it."""
    networks = make_networks()
    for name, file_name in names.items():
        torch.save(networks[name].state_dict(), folder / file_name)
    return networks


def with_relics(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """As PyTorch 0.3 saved it: running statistics for the norm after the first convolution."""
    statistics = {
        "model.2.running_mean": torch.zeros(2),
        "model.2.running_var": torch.full((2,), float("nan")),
        "model.2.num_batches_tracked": torch.tensor(7),
    }
    return {**tensors, **statistics}


@dataclass(frozen=True)
class Forged:
    """A tensor as a pickle declares it: a view of ``stored`` elements."""

    size: tuple[Any, ...]
    stride: tuple[int, ...]
    stored: int
    offset: int = 0


class _ForgedStorage:
    def __init__(self, key: str, elements: int) -> None:
        self.reference = ("storage", torch.FloatStorage, key, "cpu", elements)


class _ForgedTensor:
    def __init__(self, key: str, forged: Forged) -> None:
        self.key, self.forged = key, forged

    def __reduce__(self) -> tuple[Any, ...]:
        f, storage = self.forged, _ForgedStorage(self.key, self.forged.stored)
        arguments = (storage, f.offset, f.size, f.stride, False, OrderedDict())
        return torch._utils._rebuild_tensor_v2, arguments  # pyright: ignore


class _Pickler(pickle.Pickler):
    def persistent_id(self, obj: Any) -> Any:
        return obj.reference if isinstance(obj, _ForgedStorage) else None


def forged_pickle(tensors: Mapping[str, Forged]) -> bytes:
    buffer = io.BytesIO()
    held = {name: _ForgedTensor(str(key), forged) for key, (name, forged) in enumerate(tensors.items())}
    _Pickler(buffer, protocol=2).dump(held)
    return buffer.getvalue()


def write_zip(path: Path, data_pkl: bytes, records: Mapping[str, bytes], compress: bool = False) -> None:
    """A zip archive laid out as ``torch.save`` does."""
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("archive/data.pkl", data_pkl)
        for name, data in records.items():
            archive.writestr(f"archive/{name}", data)
        archive.writestr("archive/byteorder", b"little")
        archive.writestr("archive/version", b"3\n")


def assert_same(network: nn.Module | None, original: nn.Module) -> None:
    """Every tensor, running statistics too."""
    assert network is not None
    found, expected = network.state_dict(), original.state_dict()
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name
