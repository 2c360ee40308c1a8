"""``ganprune report``: the page of a run, whatever its files hold."""

import base64
import hashlib
import io
import json
import math
import shutil
import tomllib
from html import escape, unescape
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import tomli_w
from PIL import Image

from ganprune.checkpoints import load_generator, load_quartet
from ganprune.figures.of_run import comparisons_of, first_layer_of, widths_of
from ganprune.presets import compress_settings
from ganprune.report.parts import Parts
from ganprune.reporting import SILENT
from ganprune.runs import Run
from ganprune.stages import reporting
from ganprune.storage.tables import plus_minus
from tests.cli.conftest import Mission, Place
from tests.cli.kit import ganprune
from tests.report.kit import Parsed, addresses, parse
from tests.tiny import resnet

PARTS = [
    "overview",
    "pictures",
    "speed",
    "quality",
    "layers",
    "filters",
    "search",
    "settings",
    "provenance",
    "repeat",
]
"""Of a run that was not fine-tuned, not evaluated and not profiled: what is not there has no heading."""
HOSTILE = (
    '</td><script>alert(1)</script><img src=x onerror="alert(2)">\' " onload=alert(3) \u202e\x07 {{7*7}}'
)


def _page(run: Path) -> Parsed:
    done = ganprune("report", run)
    assert done.code == 0, done.err
    assert done.out.startswith(f"report: {run / 'report.html'}, ")
    return parse((run / "report.html").read_text(encoding="utf-8"))


def _problems(parsed: Parsed) -> list[dict[str, str | None]]:
    """Parts that say that something is wrong with their files or missing."""
    return [attributes for attributes in parsed.all("p") if attributes.get("class") == "missing"]


def _sections(parsed: Parsed) -> list[str | None]:
    return [section["id"] for section in parsed.all("section")]


def test_compress_ends_with_a_report(mission: Mission) -> None:
    parsed = parse((mission.run / "report.html").read_text(encoding="utf-8"))
    assert _sections(parsed) == PARTS
    assert "report" in Run(mission.run).provenance["stages"]
    assert _problems(parsed) == []


def _fold(row: dict[str, Any]) -> str:
    ratio = row["speedup"]
    return plus_minus(ratio["value"], (ratio["high"] - ratio["low"]) / 2)


def test_the_report_follows_a_later_bench(run: Path) -> None:
    before = (run / "report.html").read_bytes()
    assert ganprune("bench", "--cpu", run, "--set", "runs=3,4", "-q").code == 0
    timed = json.loads((run / "bench.json").read_text())
    assert (run / "report.html").read_bytes() != before
    text = parse((run / "report.html").read_text(encoding="utf-8")).text
    row = next(row for row in timed["timings"] if row["network"] == "G_B")  # in the fewest threads
    assert f"{_fold(row)}×" in text


def test_a_report_that_fails_loses_nothing(place: Place, run: Path) -> None:
    (run / "report.html").unlink()
    with patch.object(reporting, "write_report", side_effect=RuntimeError("no ink")):
        done = place.compress_whole("-o", run)
    assert done.code == 0
    assert "report.html was not written (RuntimeError: no ink)" in done.err
    assert f"try again with `ganprune report {run}`" in done.err
    assert (run / "bench.json").is_file()
    assert not (run / "report.html").exists()
    assert place.compress_whole("-o", run).code == 0
    assert (run / "report.html").is_file()


def test_the_page_asks_for_nothing_and_runs_only_its_own_script(run: Path) -> None:
    parsed = _page(run)
    for address in addresses(parsed):
        assert address.startswith(("data:image/", "#")), address[:80]
    assert len(parsed.all("script")) == len(parsed.all("style")) == 1
    (policy,) = [m["content"] or "" for m in parsed.all("meta") if "http-equiv" in m]
    for kind in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256(parsed.codes[kind].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert not [a for _, attributes in parsed.tags for a in attributes if a.startswith("on") or a == "style"]
    assert (run / "report.html").stat().st_size < 5 * 2**20


def _poisoned(value: Any) -> Any:
    """The same with every text, and every name of a thing, hostile."""
    if isinstance(value, dict):
        return {key: _poisoned(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_poisoned(inner) for inner in value]
    return HOSTILE if isinstance(value, str) else value


def test_hostile_text_in_any_file_stays_text(run: Path, here: Path) -> None:
    named = here / "<script>alert(1)<" / "script>"
    shutil.copytree(run, named)
    for name in ("bench.json", "provenance.json", "evaluation.json"):
        known = {"directions": [{"network": "", "direction": "", "rows": [{"pictures": "", "n_fakes": 1,
                 "kid": 0.1}]}], "features": "", "resamples": 0}  # fmt: skip
        value = known if name == "evaluation.json" else json.loads((named / name).read_text())
        (named / name).write_text(json.dumps(_poisoned(value)), encoding="utf-8")
    config = tomllib.loads((named / "config.toml").read_text())
    config["settings"] |= {"budget": HOSTILE, "recipe": HOSTILE, HOSTILE: HOSTILE}
    config |= {"checkpoint": HOSTILE, "data": HOSTILE}
    config["sha256"] = {HOSTILE: HOSTILE}
    (named / "config.toml").write_text(tomli_w.dumps(config), encoding="utf-8")
    parsed = _page(named)
    plain = _page(run)
    assert {tag for tag, _ in parsed.tags} <= {tag for tag, _ in plain.tags}
    assert len(parsed.all("script")) == 1
    assert not [a for _, attributes in parsed.tags for a in attributes if a.startswith("on")]
    assert parsed.codes == plain.codes
    assert parsed.text.count("<script>alert(1)</script>") > 10
    assert "\u202e" not in parsed.text
    assert all(address.startswith(("data:image/", "#")) for address in addresses(parsed))


@pytest.mark.parametrize("name", ["bench.json", "search.jsonl", "evaluation.json", "pictures.png",
                                  "original_G_A.onnx", "fine-tune/train.jsonl",
                                  "provenance.json"])  # fmt: skip
@pytest.mark.parametrize(
    "junk",
    ["", "[]", "\x00\xff", '{"generation": "x", "step": [], "networks": 5, "timings": {"a": 1}}',
     '{"step": 1e999, "directions": [{"rows": []}], "stages": {"show": {"outputs": {}, "rows": {"A": ""}}}}'],
)  # fmt: skip
def test_a_damaged_file_costs_its_own_part_and_no_other(run: Path, name: str, junk: str) -> None:
    (run / name).parent.mkdir(exist_ok=True)
    (run / name).write_text(junk, encoding="latin-1")
    parsed = _page(run)
    assert (
        {*PARTS} - {"speed", "quality", "search"} <= {*_sections(parsed)} <= {*PARTS, "operators", "tuning"}
    )
    assert len(_problems(parsed)) <= 6
    assert "population" in parsed.text


def test_files_that_are_gone_are_told_of(run: Path) -> None:
    for name in ("bench.json", "search.jsonl", "pictures.png", "original_G_B.onnx"):
        (run / name).unlink()
    done = ganprune("report", run)
    assert done.code == 0
    assert "warning: report, Before and after: " in done.err
    assert "warning: report, First-layer filters: " in done.err
    text = parse((run / "report.html").read_text()).text
    assert f"not timed yet ganprune bench --cpu {run}" in " ".join(text.split())
    assert "run `ganprune compress` again to make it" in text


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("nowhere",), 2, "the run folder nowhere does not exist"),
        ((".",), 3, "is no run folder: it has no config.toml"),
        (("--port", "3"), 2, "--port is for --serve"),
        (("--runtime", "x.tgz"), 2, "--runtime is for --serve"),
        (("--serve", "-o", "x.html"), 2, "-o and --serve contradict each other"),
    ],
)
def test_wrong_use_is_one_line(here: Path, words: tuple[str, ...], code: int, told: str) -> None:
    done = ganprune("report", *words)
    assert (done.code, done.out) == (code, "")
    assert told in done.err


def test_unfinished_run_is_told_how_to_go_on(run: Path) -> None:
    for path in run.glob("G_*.safetensors"):
        path.unlink()
    done = ganprune("report", run)
    assert done.code == 3
    assert "holds no slim generator yet" in done.err


def test_pictures_of_a_generator_that_is_gone_are_shown_all_the_same(run: Path) -> None:
    rows = comparisons_of(Run(run))
    (run / "G_A.safetensors").unlink()
    done = ganprune("report", run)
    assert (done.code, "warning" in done.err) == (0, False)
    assert [row.side for row in comparisons_of(Run(run))] == [row.side for row in rows]


def test_output_names_the_file(run: Path, here: Path) -> None:
    done = ganprune("report", run, "-o", "new/page.html", "--quiet")
    assert done.code == 0
    assert (here / "new" / "page.html").read_text().startswith("<!doctype html>")


def test_figures_of_the_bench_are_in_the_page(run: Path) -> None:
    timed = json.loads((run / "bench.json").read_text())
    text = _page(run).text
    for table in timed["tables"]:
        assert all(cell in text for row in table["rows"] for cell in row)
    assert f"{timed['timings'][0]['median_ms']:.2f} ms" in text
    page, folded = (run / "report.html").read_text(encoding="utf-8"), [t["detail"] for t in timed["tables"]]
    assert [f"<details><summary>{escape(t['title'])}" in page for t in timed["tables"]] == folded
    assert any(folded)


def test_the_first_screen_has_speed_size_and_quality_of_each_generator(run: Path) -> None:
    timed = json.loads((run / "bench.json").read_text())
    networks = {net["name"]: net for net in timed["networks"]}
    quality = json.loads((run / "quality.json").read_text())["networks"]
    page = (run / "report.html").read_text(encoding="utf-8")
    shown = " ".join(parse(page.partition('<section id="pictures">')[0]).text.split())
    for side in ("A", "B"):
        net, row = networks[f"G_{side}"], next(r for r in timed["timings"] if r["network"] == f"G_{side}")
        assert f"Speed {_fold(row)}× times as fast" in shown
        assert f"→ {net['mebibytes']:.2f} MiB of float32 weights" in shown
        distances = tuple(quality[f"G_{side}"][kind]["L_GenA"] for kind in ("slim", "inputs"))
        slim, inputs = (10 * math.log10(4 / distance) for distance in distances)
        assert f"{slim:.1f} dB " in shown
        assert f"PSNR to the original's pictures, L_GenA {distances[0]:.4g}" in shown
        assert f"The untouched input: {inputs:.1f} dB" in shown
        assert quality[f"G_{side}"]["verdict"].capitalize() in shown


def test_what_evaluate_found_stands_on_the_first_screen_and_has_a_part(run: Path) -> None:
    rows = [{"pictures": kind, "n_fakes": 2, "kid": 0.5, "L_GenA": distance}
            for kind, distance in (("inputs", 0.04), ("original", 0.0), ("slim", 0.4))]  # fmt: skip
    found = {"directions": [{"network": "G_A", "direction": "AtoB", "rows": rows}], "features": "made up"}
    (run / "evaluation.json").write_text(json.dumps(found))
    parsed = _page(run)
    text = " ".join(parsed.text.split())
    assert (
        "10.0 dB Worse than no translation PSNR to the original's pictures, L_GenA 0.4; test pictures" in text
    )
    assert "The untouched input: 20.0 dB" in text
    assert "quality" in _sections(parsed)


def test_the_verdict_of_compress_stays_after_evaluate(run: Path) -> None:
    said = json.loads((run / "quality.json").read_text())["networks"]["G_A"]["verdict"]
    assert said == "close to the original"
    distances = {"slim": 0.02, "original, mirrored": 0.03, "inputs": 0.01, "original": 0.0}
    rows = [{"pictures": kind, "n_fakes": 9, "kid": 0.5, "L_GenA": d} for kind, d in distances.items()]
    found = {"directions": [{"network": "G_A", "direction": "AtoB", "rows": rows}], "features": "made up"}
    (run / "evaluation.json").write_text(json.dumps(found))
    assert f"23.0 dB {said.capitalize()} PSNR" in " ".join(_page(run).text.split())


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "an evolutionary search, to run 4.2 times as fast: 12 individuals"),
        ({"direction": "AtoB", "lambda-cycle": 1.0}, "an evolutionary search, to run 4.2"),
        ({"lambda-cycle": 1.0, "loss": "disa"}, "co-evolution, to run 4.2"),
        ({"lambda-cycle": 1.0, "partners": "original"}, "an evolutionary search, to"),
        ({"searcher": "annealing", "lambda-cycle": 1.0}, "simulated annealing, to"),
        ({"searcher": "swarm"}, "a particle swarm, to"),
        ({"target-ms": [5, 7.5]}, "search, at most 5 and 7.5 ms a picture:"),
        ({"target-params": [0.1, 0.1], "target-macs": [0.25, 0.5]},
         "search, at most 25% and 50% of the true MACs kept and at most 10% of the parameters kept:"),
        ({"min-psnr": 32.0}, "search, as fast as a PSNR of 32 dB to the original's pictures allows:"),
        ({"max-lost": 0.1}, "search, as fast as a loss of 0.1 of the translation allows:"),
        ({"speed-up": "none"}, "search, γ alone deciding the size:"),
        ({}, "by L_GenA, their distance to the original's pictures. "),
        ({"lambda-cycle": 1.0, "loss": "disa"}, "by L_DisA, what the discriminator sees, and L_cyc, the way"),
    ],
)  # fmt: skip
def test_the_page_says_what_the_run_did(tmp_path: Path, changes: dict[str, object], told: str) -> None:
    settings = compress_settings(None, None, changes).to_flat()
    config = {"checkpoint": "net", "data": "horse2zebra", "settings": settings, "resolved": {}, "sha256": {}}
    (tmp_path / "config.toml").write_text(tomli_w.dumps(config), encoding="utf-8")
    (tmp_path / "G_B.safetensors").touch()
    page = unescape(Parts(Run(tmp_path), SILENT).first())
    assert told in page
    assert "G_B <small>zebra to horse</small>" in page


def test_settings_are_those_that_were_changed_and_the_others_are_folded(run: Path) -> None:
    page = (run / "report.html").read_text(encoding="utf-8")
    settings = page.partition('<section id="settings">')[2].partition("</section>")[0]
    changed, _, others = settings.partition("<details><summary>All others")
    assert "<dt>population</dt><dd>4<" in changed
    assert "<dt>gamma<" not in changed
    assert "<dt>gamma</dt><dd>10.0<" in others


def test_commands_can_be_copied_and_are_those_of_the_run(run: Path) -> None:
    _page(run)  # written for the folder where it is now
    page = (run / "report.html").read_text(encoding="utf-8")
    repeat = page.partition('<section id="repeat">')[2]
    for command in (f"bench --cpu --profile {run}", f"report {run} --serve", f"export --onnx {run}"):
        assert f'<code>ganprune {command}</code><button type="button" class="copy" hidden>' in repeat


def test_pictures_in_the_page_are_the_runs_pictures(run: Path) -> None:
    rows = comparisons_of(Run(run))
    images = [a for a in _page(run).all("img") if a.get("class") in ("before", "after")]
    first, found = images[:4], images[4:]  # one picture a domain on the first screen
    assert [image["src"] for image in first] == [found[i]["src"] for i in (0, 1, 4, 5)]
    wanted = [picture for row in rows for picture in (row.original, row.slim)]
    assert len(found) == len(wanted) == 2 * 4  # two pictures a domain
    for i, image in enumerate(found):
        data = base64.b64decode((image["src"] or "").partition(",")[2])
        shown = np.asarray(Image.open(io.BytesIO(data)), int)
        off = [float(np.abs(shown - picture).mean()) for picture in wanted]
        assert off.index(min(off)) == i
        assert off[i] < 10  # JPEG of noise


def test_pictures_of_a_run_are_what_its_networks_make(run: Path, place: Place) -> None:
    import torch

    from ganprune.images import to_float, to_uint8

    originals = load_quartet(place.checkpoint)
    for row in comparisons_of(Run(run)):
        x = to_float(torch.from_numpy(row.input).permute(2, 0, 1))[None]
        whole = originals.G_A if row.side == "A" else originals.G_B
        assert whole is not None
        slim = load_generator(run / f"G_{row.side}.safetensors")
        for net, picture in ((whole.eval(), row.original), (slim.eval(), row.slim)):
            with torch.inference_mode():
                made = to_uint8(net(x)[0]).permute(1, 2, 0).numpy().astype(int)
            assert np.abs(made - picture).max() <= 1


def test_layers_and_filters_of_a_run_are_its_networks(run: Path, place: Place) -> None:
    original = load_quartet(place.checkpoint).G_B
    slim = load_generator(run / "G_B.safetensors")
    assert original is not None
    assert widths_of(Run(run), "B") == (resnet(original).widths.groups(), resnet(slim).widths.groups())
    layer = first_layer_of(Run(run), "B")
    weights = original.state_dict()["model.1.weight"].numpy()
    assert np.array_equal(layer.original, weights)
    cut = weights[list(layer.kept)]  # of a layer that keeps its inputs, a refit changes rounding alone
    assert np.allclose(slim.state_dict()["model.1.weight"].numpy(), cut, atol=2e-4)
    assert layer.tuned is None
