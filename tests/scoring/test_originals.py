from pathlib import Path

import torch
from torch import Tensor, nn

from ganprune.images.sources import DOMAINS, Domain
from ganprune.scoring import LocalScorer
from ganprune.scoring.originals import original_outputs
from tests.scoring.test_local import exactly_equal, genomes_of
from tests.tiny import tiny_gan


class Counter:
    """Runs networks and counts how often."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, net: nn.Module, x: Tensor) -> Tensor:
        self.runs += 1
        with torch.inference_mode():
            return net(x)


def test_the_originals_run_once_and_are_read_afterwards(tmp_path: Path) -> None:
    gan, file, run = tiny_gan(), tmp_path / "cache/original_A.safetensors", Counter()
    G, D, x = gan.generators["A"], gan.judges["A"], gan.pictures["A"].float() / 127.5 - 1
    first = original_outputs(G, D, x, run, "batch 1", file)
    assert run.runs == 2
    again = original_outputs(G, D, x, run, "batch 1", file)
    assert run.runs == 2
    for a, b in zip(first, again, strict=True):
        assert a is not None
        assert b is not None
        assert torch.equal(a, b)
    assert original_outputs(G, None, x, run, "batch 1", tmp_path / "other")[1] is None


def test_other_weights_pictures_settings_and_damage_are_computed_anew(tmp_path: Path) -> None:
    gan, file, run = tiny_gan(), tmp_path / "original_A.safetensors", Counter()
    G, D, x = gan.generators["A"], gan.judges["A"], gan.pictures["A"].float() / 127.5 - 1
    original_outputs(G, D, x, run, "batch 1", file)
    expected = run.runs
    original_outputs(G, D, x * 0.5, run, "batch 1", file)
    original_outputs(G, D, x, run, "batch 2", file)
    D.state_dict()["model.0.bias"][0] += 1
    original_outputs(G, D, x, run, "batch 2", file)
    file.write_bytes(file.read_bytes()[:-9])
    original_outputs(G, D, x, run, "batch 2", file)
    file.write_bytes(b"")
    original_outputs(G, D, x, run, "batch 2", file)
    assert run.runs == expected + 10
    original_outputs(G, D, x, run, "batch 2", file)
    assert run.runs == expected + 10


def test_scores_are_the_same_with_what_was_kept(tmp_path: Path) -> None:
    gan = tiny_gan()

    def scores(side: Domain, cache: Path | None) -> object:
        return LocalScorer(gan.inputs(cache=cache)).score(side, genomes_of(gan, side), None)

    for side in DOMAINS:
        plain = scores(side, None)
        for _ in range(2):
            assert exactly_equal(scores(side, tmp_path), plain)  # type: ignore[arg-type]
    assert {path.name for path in tmp_path.iterdir()} == {f"original_{side}.safetensors" for side in DOMAINS}
