from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ganprune.images import cells, grid, save_picture
from tests.tiny import seeded


def noise(seed: int, h: int = 24, w: int = 32) -> torch.Tensor:
    return torch.randint(256, (3, h, w), generator=seeded(seed), dtype=torch.uint8)


def test_a_grid_shows_every_picture_where_it_belongs():
    rows = [[noise(10 * i + j) for j in range(3)] for i in range(2)]
    sheet = grid(rows)
    assert sheet.shape == (3, 2 * 24 + 4, 3 * 32 + 8)
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            assert torch.equal(sheet[:, 28 * i : 28 * i + 24, 36 * j : 36 * j + 32], picture)
    assert (sheet[:, 24:28] == 255).all()
    assert (sheet[:, :, 32:36] == 255).all()


def test_names_stand_above_their_columns():
    rows = [[noise(0), noise(1)]]
    named, bare = grid(rows, ["one", ""]), grid(rows)
    assert torch.equal(named[:, 20:], bare)
    assert (named[:, :20, :32] < 128).any()
    assert (named[:, :20, 36:] == 255).all()


def test_smaller_pictures_and_short_rows_leave_white():
    sheet = grid([[noise(0), noise(1, 8, 8)], [noise(2)]])
    assert torch.equal(sheet[:, :8, 36:44], noise(1, 8, 8))
    assert (sheet[:, 8:, 36:] == 255).all()


def test_cells_of_a_named_grid_are_its_pictures():
    rows = [[noise(i), noise(i + 10)] for i in range(3)]
    found = cells(grid(rows, ["one", "two"]), *noise(0).shape[1:])
    assert [len(row) for row in found] == [2, 2, 2]
    assert all(torch.equal(a, b) for x, y in zip(rows, found, strict=True) for a, b in zip(x, y, strict=True))


def test_a_saved_png_holds_the_same_bytes(tmp_path: Path):
    save_picture(tmp_path / "new" / "a.png", noise(5))
    with Image.open(tmp_path / "new" / "a.png") as picture:
        assert np.array_equal(np.asarray(picture), noise(5).permute(1, 2, 0).numpy())
    assert [path.name for path in (tmp_path / "new").glob("[!.]*")] == ["a.png"]
