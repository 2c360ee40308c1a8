"""train.json: what a training in a folder was started with, how many steps that means, what it wrote."""

import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ganprune.errors import RunError, UsageError
from ganprune.images import Domain
from ganprune.settings.budget import Budget
from ganprune.settings.fields import settings_of
from ganprune.settings.training import TrainSettings
from ganprune.storage.files import sha256, write_atomically
from ganprune.storage.plain import is_inside, read_json, shaped, sound
from ganprune.training.networks import Networks

RECORD = "train.json"
STATE = "train_state.pt"  # where an unfinished training stands
NETWORKS = (".pth", ".pt", ".safetensors", ".ckpt", ".bin", ".pkl", ".pth.tar", ".pt.tar")
"""Endings of files that may hold trained networks."""


@dataclass(frozen=True, slots=True)
class Record:
    """The content of train.json."""

    settings: dict[str, Any]  # fields of `TrainSettings`
    budget: Budget
    pictures_sha256: str  # of the names and sizes of the files of both domains
    networks_sha256: str  # of the weights that the training began with
    steps: int | None = None  # how many steps the budget means; None until the first steps were timed
    seconds_per_step: float | None = None  # as timed; None where the budget was no time
    best: dict[str, Any] | None = None
    """Which weights of each generator are the result, and their score, where a validation decided."""
    outputs: dict[str, str] | None = None
    """Hash of every file of the trained networks, by name; None until the training is finished."""

    @classmethod
    def open(
        cls, folder: Path, networks: Networks, pictures: Mapping[Domain, Sequence[Path]],
        settings: TrainSettings, budget: Budget,
    ) -> "Record":  # fmt: skip
        """The record in a folder, or a new one. Raises `RunError` where another training has been there."""
        plain = json.loads(json.dumps(asdict(settings)))
        new = cls(plain, budget, _picture_hash(pictures), _weight_hash(networks))
        path = folder / RECORD
        if not path.exists():
            return new
        with sound(path, f"delete {folder} to train anew"):
            found = read_json(path)
            shaped(found, cls)
            old = cls(**found | {"budget": Budget(**found["budget"])})
            if not all(map(is_inside, old.outputs or ())):
                raise ValueError("a file lies outside")
        known = {one.name: one for one in settings_of(TrainSettings).values()}
        changed = [
            f"{known[key].typed(value) if key in known else f'{key} {value}'} (now {new.settings.get(key)})"
            for key, value in old.settings.items()
            if new.settings.get(key) != value
        ]
        if old.budget != new.budget:
            changed.append(f"a budget of {old.budget.amount:g} {old.budget.unit}")
        if old.pictures_sha256 != new.pictures_sha256:
            changed.append("other pictures")
        if old.networks_sha256 != new.networks_sha256:
            changed.append("other networks to begin with")
        if changed:
            raise RunError(
                f"{folder} holds a training with {', '.join(changed)}; "
                "give the same again to go on with it, or use `-o` another folder"
            )
        return old

    def write(self, folder: Path) -> None:
        """Write train.json."""
        write_atomically(folder / RECORD, (json.dumps(asdict(self), indent=2) + "\n").encode(), over="own")

    def finish(self, folder: Path, files: Sequence[Path]) -> None:
        """Write train.json with the hashes of what the training made."""
        replace(self, outputs={path.name: sha256(path) for path in files}).write(folder)

    def finished(self, folder: Path) -> bool:
        """Whether everything that the training made is still there, unchanged."""
        return self.outputs is not None and all(
            (folder / name).is_file() and sha256(folder / name) == known
            for name, known in self.outputs.items()
        )


def check_untrained(folder: Path) -> None:
    """Raises `UsageError` for a folder of trained networks without a train.json to go on by."""
    if (folder / RECORD).exists() or not folder.is_dir():
        return
    names = {path.name for path in folder.iterdir() if path.name.lower().endswith(NETWORKS)}
    found = sorted(names - {STATE})
    if found:
        raise UsageError(
            f"{folder} holds trained networks ({found[0]}) and no {RECORD} to go on by; nothing is "
            f"overwritten: to train them further, ganprune train --from {shlex.quote(str(folder))} "
            "--data DIR; for new networks, use `-o` another folder"
        )


def _picture_hash(pictures: Mapping[Domain, Sequence[Path]]) -> str:
    names = {
        domain: [(path.name, path.stat().st_size if path.exists() else -1) for path in paths]
        for domain, paths in pictures.items()
    }
    return hashlib.sha256(json.dumps(names, sort_keys=True).encode()).hexdigest()


def _weight_hash(networks: Networks) -> str:
    digest = hashlib.sha256()
    for name, net in networks.items():
        for key, tensor in net.state_dict().items():
            digest.update(f"{name} {key} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
