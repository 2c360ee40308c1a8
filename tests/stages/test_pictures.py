"""Which pictures a search is scored on, refitted by and trained on."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from ganprune.errors import DataError
from ganprune.images import find_domains, load_pictures
from ganprune.images.sources import DOMAINS
from ganprune.runs import Run
from ganprune.settings import CompressSettings
from ganprune.stages import fine_tune, search_pictures
from ganprune.stages.job import gram_pictures, scored_files, scored_pictures
from ganprune.stages.searching import picture_hash, tuner_for
from tests.stages.test_stages import SETTINGS, gan, run
from tests.tiny import TinyGan, seeded, tiny_job

__all__ = ["gan", "run"]


def _write_pictures(folder: Path, names: list[str], seed: int) -> None:
    folder.mkdir(parents=True)
    for i, name in enumerate(names):
        pixels = torch.randint(256, (20, 20, 3), generator=seeded(100 * seed + i), dtype=torch.uint8)
        Image.fromarray(pixels.numpy()).save(folder / name)


def test_pictures_to_score_on_are_not_those_to_fine_tune_on(
    tmp_path: Path, run: Run, gan: TinyGan, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed, name in enumerate(("trainA", "trainB", "testA", "testB")):
        _write_pictures(tmp_path / name, [f"{i}.png" for i in range(6)], seed)
    folders = find_domains(tmp_path)
    scored = search_pictures(folders, SETTINGS)
    assert {side: tuple(pictures.shape) for side, pictures in scored.items()} == {
        "A": (2, 3, 32, 32), "B": (2, 3, 32, 32)
    }  # fmt: skip
    tuned: dict[str, Any] = {}

    def watch(networks: Any, pictures: Any, *_: Any, **options: Any) -> None:
        tuned.update(pictures)
        raise KeyboardInterrupt

    monkeypatch.setattr("ganprune.stages.training.train", watch)
    settings = CompressSettings.from_flat(SETTINGS.to_flat() | {"budget": "1steps", "recipe": "paper"})
    with pytest.raises(KeyboardInterrupt):
        fine_tune(tiny_job(run, gan, settings, folders=folders), gan.generators)
    for side in DOMAINS:
        assert len(tuned[side]) == 4
        assert all(path.parent.name == f"train{side}" for path in tuned[side])
        both = torch.cat([load_pictures(tuned[side], 32), scored[side]]).flatten(1)
        assert len(both.unique(dim=0)) == 6


def test_individuals_are_refitted_by_other_pictures_than_they_are_scored_on(
    tmp_path: Path, run: Run, gan: TinyGan
) -> None:
    for seed, name in enumerate(("trainA", "trainB")):
        _write_pictures(tmp_path / name, [f"{i}.png" for i in range(6)], seed)
    job = tiny_job(run, gan, SETTINGS, folders=find_domains(tmp_path))
    scored, seen = search_pictures(job.folders, SETTINGS), gram_pictures(job)
    for side in DOMAINS:
        assert len(torch.cat([scored[side], seen[side]]).flatten(1).unique(dim=0)) == 6
    same = replace(job, pictures=scored, settings=SETTINGS.changed({"gram-pictures": 0}))
    assert gram_pictures(same) == scored


def _is_in(square: Tensor, picture: Tensor) -> bool:
    n = square.shape[-1]
    corners = (picture[:, : 1 - n, : 1 - n] == square[:, :1, :1]).all(0).nonzero().tolist()
    return any(torch.equal(picture[:, y : y + n, x : x + n], square) for y, x in corners)


def test_individuals_are_scored_on_squares_of_other_pictures(tmp_path: Path, run: Run, gan: TinyGan) -> None:
    for seed, name in enumerate(("trainA", "trainB")):
        _write_pictures(tmp_path / name, [f"{i}.png" for i in range(24)], seed)
    flat = {"pictures": 2, "crops": 2, "gram-pictures": 3, "size": 128}
    settings = CompressSettings.from_flat(SETTINGS.to_flat() | flat)
    job = tiny_job(run, gan, settings, folders=find_domains(tmp_path))
    job = replace(job, pictures=search_pictures(job.folders, settings))
    squares, seen = scored_pictures(job), gram_pictures(job)
    for side in DOMAINS:
        assert squares[side].shape == (8, 3, 64, 64)
        whole = load_pictures(job.folders.pictures("train", side), 128)
        of = [next(i for i in range(24) if _is_in(square, whole[i])) for square in squares[side]]
        assert len({*of}) == 8, "of one picture each"
        for square in of:
            assert not (seen[side] == whole[square]).flatten(1).all(1).any()
    assert picture_hash(scored_pictures(job)) == picture_hash(squares)
    for seed in range(5):
        tuned = replace(job, settings=settings.changed({"seed": seed, "tune-steps": 1}))
        assert (tuner := tuner_for(tuned)) is not None
        for side in DOMAINS:
            assert not {*tuner.pictures[side]} & {*scored_files(tuned)[side]}
    other = replace(job, settings=settings.changed({"seed": 1}))
    assert picture_hash(scored_pictures(other)) != picture_hash(squares)
    few = replace(job, settings=settings.changed({"gram-pictures": 17}))
    assert len(scored_pictures(few)["A"]) == 8, "several of a picture, where there are few"
    for flat in ({"crops": 1}, {"size": 96}, {"crops": 3}):
        whole = replace(job, settings=settings.changed(flat))
        assert scored_pictures(whole) == job.pictures


def test_pictures_come_from_val_folders_where_there_are_such(tmp_path: Path) -> None:
    for seed, name in enumerate(("trainA", "trainB", "valA", "valB")):
        _write_pictures(tmp_path / name, [f"{i}.png" for i in range(3)], seed)
    first = search_pictures(find_domains(tmp_path), SETTINGS)
    second = search_pictures(
        find_domains(tmp_path), replace(SETTINGS, search=replace(SETTINGS.search, seed=5))
    )
    assert picture_hash(first) == picture_hash(second)
    (tmp_path / "valA" / "0.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"1 of 3 pictures in .*valA"):
        search_pictures(find_domains(tmp_path), SETTINGS)


def test_seed_draws_the_pictures(tmp_path: Path) -> None:
    for seed, name in enumerate(("trainA", "trainB")):
        _write_pictures(tmp_path / name, [f"{i}.png" for i in range(20)], seed)
    folders = find_domains(tmp_path)
    drawn = [
        picture_hash(search_pictures(folders, replace(SETTINGS, search=replace(SETTINGS.search, seed=seed))))
        for seed in (0, 0, 1)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_no_budget_leaves_the_generators_alone(run: Run, gan: TinyGan, tmp_path: Path) -> None:
    for seed, name in enumerate(("trainA", "trainB")):
        _write_pictures(tmp_path / name, ["0.png", "1.png"], seed)
    same = fine_tune(tiny_job(run, gan, SETTINGS, folders=find_domains(tmp_path)), gan.generators)
    assert all(same[side] is gan.generators[side] for side in DOMAINS)
    assert not (run / "fine-tune").exists()
