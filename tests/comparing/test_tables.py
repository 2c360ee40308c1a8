"""Rows, claims, records and the paper's figures, from figures made up by hand."""

import csv
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from ganprune.comparing.cells import Cell
from ganprune.comparing.paper import paper_table
from ganprune.comparing.record import Records, as_named, network_of, size_of
from ganprune.comparing.tables import claims, comparison_csv, comparison_table, means_of, verdict
from ganprune.comparing.timing import known_times
from ganprune.errors import RunError
from ganprune.models.cyclegan import Generator, resnet_widths
from ganprune.settings import CompressSettings


def _cell(name: str, seed: int, a: float, b: float) -> Any:
    sides = {side: {"kid": kid, "kid_interval": [kid - 0.05, kid + 0.02], "lost": kid / 2,
                    "macs_true": 2e9, "macs_paper": 3e9, "params": 1e6, "as_b": 0.5}
             for side, kid in (("A", a), ("B", b))}  # fmt: skip
    return {"name": name, "seed": seed, "method": "search", "sides": sides}


CELLS = [
    _cell("ours", 0, 0.4, 0.6), _cell("ours", 1, 0.5, 0.6), _cell("ours", 2, 0.6, 0.9),
    _cell("theirs", 0, 0.6, 0.5), _cell("theirs", 1, 0.8, 0.7), _cell("theirs", 2, 1.0, 0.9),
    _cell("once", 1, 0.7, 0.4),
]  # fmt: skip
ORIGINAL: Any = {"sides": _cell("original", 0, 0.3, 0.2)["sides"],
            "inputs": {side: {"kid": 2.0, "lost": 1.0} for side in "AB"},
            "mirrored": {side: {"kid": 0.3, "lost": 0.1, "L_DisA": 0.02} for side in "AB"}}  # fmt: skip


def test_row_is_a_mean_over_seeds() -> None:
    timings: Any = {"ours": {"A": {"median_ms": 5.0, "speedup": 3}, "B": {"median_ms": 6.0, "speedup": 2.5}}}
    means = means_of(CELLS, ORIGINAL, timings)
    assert list(means) == ["original", "inputs", "original, mirrored", "ours", "theirs", "once"]
    assert means["ours"]["A"]["kid"] == pytest.approx(0.5)
    table = comparison_table(means, "title")
    rows = {row[0]: dict(zip(table.headings, row, strict=True)) for row in table.rows}
    assert rows["ours"]["seeds"] == "3"
    assert rows["ours"]["KID A→B"] == "0.500 [0.450, 0.520], seeds 0.400 … 0.600"
    assert rows["ours"]["lost B→A"] == "0.35"
    assert rows["ours"]["ms"] == "5.0 / 6.0"
    assert rows["ours"]["MACs, G"] == "2.00"
    assert rows["once"]["KID A→B"] == "0.700 [0.650, 0.720]"
    assert rows["inputs"]["MACs, G"] == "–"
    assert rows["inputs"]["KID A→B"] == "2.000"  # of an earlier ganprune, without an interval
    assert (rows["original, mirrored"]["lost A→B"], rows["original, mirrored"]["L_DisA A→B"]) == (
        "0.10",
        "0.0200",
    )
    assert rows["ours"]["L_DisA A→B"] == "–"  # of an earlier ganprune, or without a discriminator
    assert "FID A→B" not in table.headings  # nothing to say


def test_figures_of_an_earlier_ganprune_have_their_names_of_today(tmp_path: Path) -> None:
    machine = {"cpu": "", "cores": 1, "system": "", "onnxruntime": "", "ganprune": ""}
    timed = {"files": {}, "timings": {"ours": {"A": {"ms": 5.0}}}, "machine": machine, "threads": 1}
    (tmp_path / "timing.json").write_text(json.dumps(timed))
    found = known_times(tmp_path)
    assert found is not None
    assert found["timings"] == {"ours": {"A": {"median_ms": 5.0}}}
    assert as_named({"speedup_in_theory": 4.0}) == {"theoretical_speedup": 4.0}


def test_csv_has_a_line_for_each_method_and_direction() -> None:
    lines = list(csv.DictReader(StringIO(comparison_csv(means_of(CELLS, ORIGINAL, {})))))
    assert [(line["method"], line["network"]) for line in lines][:3] == [
        ("original", "G_A"), ("original", "G_B"), ("inputs", "G_A"),
    ]  # fmt: skip
    assert float(lines[6]["kid_high"]) == 0.6


def test_claim_is_compared_seed_by_seed() -> None:
    # KID A→B: differences 0.2, 0.3, 0.4; mean 0.3, standard deviation 0.1; t for 2 degrees is 4.303, so
    # ± 4.303 · 0.1 / √3 = 0.2484: worse. B→A: -0.1, 0.1, 0.0; mean 0 ± 0.2484: no clear difference.
    theirs, once = claims(CELLS, "ours")
    assert theirs.startswith("theirs less ours, 3 seeds: KID A→B +0.3000 ± 0.2484 (worse); KID B→A ")
    assert "0.0000 ± 0.2484 (no clear difference)" in theirs
    # Of the common seed alone: 0.7 - 0.5 and 0.4 - 0.6; of lost, half of these.
    assert once == ("once less ours, 1 seed: KID A→B +0.2000; KID B→A -0.2000; "
                    "lost A→B +0.100; lost B→A -0.100")  # fmt: skip
    assert "(better)" in claims(CELLS, "theirs")[0]
    assert claims(CELLS, "none") == ()


def test_verdict_counts_what_two_seeds_or_more_say() -> None:
    # As above: of A→B surely worse, of B→A no clear difference; lost is half of KID. "once" has one seed.
    assert verdict(CELLS, "ours") == (
        "ours best by KID: found in 1 of 2 comparisons with theirs, the opposite in 0, "
        "no clear difference in 1 (95 % each)",
        "ours best by lost: found in 1 of 2 comparisons with theirs, the opposite in 0, "
        "no clear difference in 1 (95 % each)",
    )
    assert "found in 0 of 2 comparisons with ours, the opposite in 1" in verdict(CELLS, "theirs")[0]
    assert verdict(CELLS, "once") == ()


def test_steps_stand_in_the_table() -> None:
    cells = [cell | {"steps": steps} for cell, steps in zip(CELLS[:4], (7, 7, 7, 9), strict=True)]
    table = comparison_table(means_of(cells, ORIGINAL, {}), "title")
    rows = {row[0]: dict(zip(table.headings, row, strict=True)) for row in table.rows}
    assert (rows["ours"]["steps"], rows["theirs"]["steps"], rows["original"]["steps"]) == ("7", "9", "–")


def test_paper_stands_beside_ours_with_its_protocol() -> None:
    figures = {"mebibytes": 10.0, "compression": 4.34, "macs_paper_256": 13.4e9, "ratio_paper_256": 4.24}
    means: Any = {
        "original": {"A": {"median_ms": 100.0, "fid_test": 70.0}},
        "ours": {"A": figures | {"median_ms": 25.0, "fid_test": 90.25}},
    }
    table = paper_table("horse2zebra", "ours", means, 128, {"features": "some network"})
    rows = {row[0]: row for row in table.rows}
    assert rows["horse2zebra, memory (Table 1)"][1:3] == ("10.16 MiB, 4.27×", "10.00 MiB, 4.34×")
    assert rows["horse2zebra, “FLOPs” (Table 1)"][1:3] == ("13.45 G, 4.23×", "13.40 G, 4.24×")
    fid = rows["horse2zebra, FID, co-evolution (Table 3)"]
    assert fid[1:3] == ("96.15", "90.25")
    assert fid[3] == "paper: Inception, 256×256, test; ours: some network, 128×128, test"
    assert rows["horse2zebra, FID, ThiNet (Table 3)"][1:3] == ("189.28", "–")
    assert rows["horse2zebra, runtime"][1:3] == ("2260 → 730 ms, 3.1×", "100.0 → 25.0 ms, 4.0×")
    assert rows["zebra2horse, memory (Table 1)"][2] == "–"
    scored: Any = {"thinet": {"B": {"pixel_accuracy": 0.25, "class_accuracy": 0.1, "class_iou": 0.05}}}
    judges = {"features": "f", "fcn": "0123456789abcdef", "fcn input": "raw"}
    streets = {row[0]: row for row in paper_table("cityscapes", "ours", scored, 256, judges).rows}
    row = streets["cityscapes-B2A, FCN score, ThiNet of 10.88 MB (Table 2)"]
    assert row[3].endswith("paper: FCN-8s, 256×256; ours: network 0123456789ab, fed as raw, 256×256")
    other = streets["cityscapes-B2A, FCN score, original of 43.42 MB (Table 2)"]
    assert other[2:] == ("– / – / –", "pixel accuracy / class accuracy / class IoU; paper: FCN-8s, 256×256; "
                         "ours: not measured, it needs --fcn and the cell")  # fmt: skip
    assert row[1:3] == ("0.218 / 0.089 / 0.054", "0.250 / 0.100 / 0.050")


def test_original_costs_what_the_paper_says() -> None:
    whole, slim = Generator(resnet_widths()), Generator(resnet_widths(32))
    found = size_of(slim, whole, 128)
    assert found["macs_paper_256"] == pytest.approx(14.51e9, rel=1e-3)
    assert found["ratio_paper_256"] == pytest.approx(3.91, abs=0.01)
    assert size_of(whole, whole, 256)["macs_true"] == pytest.approx(49.55e9, rel=1e-3)
    assert size_of(whole, whole, 256)["mebibytes"] == pytest.approx(43.4, abs=0.01)


@pytest.mark.parametrize(
    "damage",
    [lambda sides: sides.pop("B"), lambda sides: sides["A"].update(kid=float("nan"))],
    ids=["one", "nan"],
)
def test_records_of_one_direction_or_of_no_numbers_are_damaged(tmp_path: Path, damage: Any) -> None:
    sides = _cell("ours", 2, 0.1, 0.2)["sides"]
    damage(sides)
    _records(tmp_path).write(_as_cell(), sides, {})
    with pytest.raises(RunError, match=r"ours-2\.json is damaged \(it is not as ganprune writes it\)"):
        _records(tmp_path).finished(_as_cell())


def test_network_of_a_record_has_the_widths_that_it_tells() -> None:
    whole, slim = Generator(resnet_widths(8, 2), "batch"), Generator(resnet_widths(4, 2), "batch")
    told = json.loads(json.dumps(size_of(slim, whole, 32)))
    for _ in range(2):
        again = network_of(told, whole)
        assert again is not None
        assert size_of(again, whole, 32) == told
        assert (again.norm, again.training) == ("batch", False)
    assert network_of({}, whole) is None


@pytest.mark.parametrize("change", [{"stem": 9}, {"stem": 0}, {"stem": 4.0}, {"stem": True}, {"inner2": 4}])
def test_widths_that_no_slim_network_has_are_refused(change: dict[str, object]) -> None:
    whole = Generator(resnet_widths(8, 2))
    with pytest.raises(RunError, match="a number of filters for each of stem, down, trunk, inner0, inner1"):
        network_of({"widths": whole.widths.groups() | change}, whole)


def _records(tmp_path: Path, **changes: object) -> Records:
    return Records(tmp_path, {"sha256": {"G_A": "x"}, "features": "f"} | changes)


def _as_cell(**flat: object) -> Cell:
    return Cell("ours", "search", CompressSettings.from_flat({"population": 4, "seed": 2} | flat))


def test_finished_cell_is_known_by_all_that_made_it(tmp_path: Path) -> None:
    sides = _cell("ours", 2, 0.1, 0.2)["sides"]
    assert _records(tmp_path).finished(_as_cell()) is None
    _records(tmp_path).write(_as_cell(), sides, {"steps": 5})
    elsewhere = _as_cell(device="cpu", threads=3, workers=2, batch=4)
    found = _records(tmp_path).finished(elsewhere)
    assert found is not None
    assert found["sides"] == sides
    assert found.get("steps") == 5
    with pytest.raises(
        RunError,
        match=r"ours-2.json was made with gamma = 10.0 \(now 3.0\); give that again, or use `-o`",
    ):
        _records(tmp_path).finished(_as_cell(gamma=3))
    with pytest.raises(RunError, match=r"made with precision = auto \(now float32\)"):
        _records(tmp_path).finished(_as_cell(precision="float32"))
    with pytest.raises(RunError, match=r"made with features f \(now g\)"):
        _records(tmp_path, features="g").finished(_as_cell())


@pytest.mark.parametrize(
    "change",
    [
        {"sides": []}, {"sides": {"A": {"kid": "low"}}}, {"made": {"settings": []}},
        {"steps": "many"}, {"settings": 3}, {"name": "../theirs"}, {"seed": 7},
    ],
    ids=str,
)  # fmt: skip
def test_record_of_other_values_than_ganprune_writes_is_damaged(
    tmp_path: Path, change: dict[str, object]
) -> None:
    _records(tmp_path).write(_as_cell(), _cell("ours", 2, 0.1, 0.2)["sides"], {"steps": 5})
    path = tmp_path / "ours-2.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(
        RunError, match=r"ours-2\.json is damaged \(it is .*; delete it to run the cell again"
    ):
        _records(tmp_path).finished(_as_cell())


def test_record_of_an_older_ganprune_that_knew_fewer_settings_counts(tmp_path: Path) -> None:
    _records(tmp_path).write(_as_cell(), _cell("ours", 2, 0.1, 0.2)["sides"], {})
    path = tmp_path / "ours-2.json"
    record = json.loads(path.read_text())
    del record["made"]["settings"]["searcher"]
    path.write_text(json.dumps(record))
    assert _records(tmp_path).finished(_as_cell()) is not None


@pytest.mark.parametrize("text", ["{", "[]", '{"sides": 3, "made": {}}', "{}"])
def test_damaged_record_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "ours-2.json").write_text(text)
    with pytest.raises(RunError, match=r"ours-2.json is damaged .* delete it to run the cell again"):
        _records(tmp_path).finished(_as_cell())
