"""One generator alone: pix2pix with pairs of pictures, CUT with its discriminator."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from ganprune.checkpoints import load_generator, load_quartet
from ganprune.images import load_pictures, to_float
from ganprune.images.pairs import LeftHalf, RightHalf
from ganprune.metrics.controls import psnr
from ganprune.pruning.fitness import l_disa
from tests.cli.conftest import Place
from tests.cli.kit import LEAN, Outcome, ganprune, stopped_before_export
from tests.images.test_pairs import joined
from tests.metrics.kit import keras_file
from tests.models.schools import DISCRIMINATORS, GENERATORS, trained

FACADES = "model: pix2pix\ndataset_mode: aligned\ndirection: BtoA [default: AtoB]\ngan_mode: vanilla\n"


def saved(folder: Path, generator: str, discriminator: str, options: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(trained(GENERATORS[generator][0]).state_dict(), folder / "latest_net_G.pth")
    torch.save(trained(DISCRIMINATORS[discriminator]).state_dict(), folder / "latest_net_D.pth")
    if options:
        (folder / "train_opt.txt").write_text(options)
    return folder


@pytest.fixture(scope="module")
def facades(tmp_path_factory: pytest.TempPathFactory, place: Place) -> tuple[Path, Outcome]:
    """A run of pix2pix, trained BtoA, as its README has it: files of both pictures, side by side."""
    root = tmp_path_factory.mktemp("facades")
    net = saved(root / "net", "pix2pix", "pix2pix", FACADES)
    joined(root / "data", {"train": 6, "test": 3}, 72, 36)
    words = ("--data", root / "data", "--config", place.config, "--target-macs", 0.5, "--set", "align=1")
    done = ganprune(
        "compress", net, *words, "--budget", "2steps", "--set", "distil-gan=0.5", "-o", root / "run"
    )
    assert done.code == 0, done.err
    return root, done


def test_pix2pix_is_compressed_by_what_its_discriminator_sees_in_pairs(facades: tuple[Path, Outcome]) -> None:
    root, done = facades
    assert "taken as G_B; latest_net_D.pth judges what it makes beside its input" in done.err
    assert "--set paired=true (as it was trained)" in done.err
    assert "the left halves of its pictures are A, the right ones B" in done.err
    (line, *_) = (root / "run/search.jsonl").read_text().splitlines()
    G = load_generator(root / "net/latest_net_G.pth")
    D = load_quartet(root / "net").D_A
    assert D is not None
    held_out = [path for path in sorted((root / "data/train").iterdir()) if path.name not in _trained(root)]
    x = to_float(load_pictures([RightHalf(path) for path in held_out], 32))
    judged = [D(torch.cat([x, y], 1)) for y in (G(x), x)]
    controls = json.loads(line)["controls"]["B"]
    assert controls["inputs"]["L_DisA"] == pytest.approx(float(l_disa(*judged)), rel=1e-4)
    slim = load_generator(root / "run/G_B.safetensors")
    assert sum(p.numel() for p in slim.parameters()) < sum(p.numel() for p in G.parameters())
    assert (root / "run/report.html").is_file()
    assert (root / "run/G_B.onnx").is_file()


def _trained(root: Path) -> set[str]:
    """Names of the pictures that no score was made on: four of six."""
    from ganprune.images import find_domains, split

    folders = find_domains(root / "data", paired=True)
    of_A, of_B = (split(folders, side, seed=0, holdout=2) for side in ("A", "B"))
    assert [path.name for path in of_A[0]] == [path.name for path in of_B[0]]
    return {path.name for path in of_B[0]}


def test_evaluate_tells_distances_to_the_pictures_that_belong_to_the_inputs(
    facades: tuple[Path, Outcome], tmp_path: Path
) -> None:
    root, _ = facades
    features = keras_file(tmp_path / "m.safetensors")
    found = ganprune("evaluate", root / "run", "--features", features, "--threads", 1, "--json")
    assert found.code == 0, found.err
    rows = {row["pictures"]: row for row in found.json["directions"][0]["rows"]}
    files = sorted((root / "data/test").iterdir())
    x, y = (load_pictures([half(path) for path in files], 32) for half in (RightHalf, LeftHalf))
    assert rows["inputs"]["truth_psnr"] == pytest.approx(psnr(x, y))
    assert rows["inputs"]["truth_l1"] == pytest.approx(float((x.double() - y.double()).abs().mean()))
    assert rows["slim"]["truth_l1"] > 0
    table = ganprune("evaluate", root / "run", "--features", features, "--threads", 1)
    assert "PSNR to truth, dB" in table.out


def test_translate_takes_the_half_that_is_the_input(facades: tuple[Path, Outcome], here: Path) -> None:
    root, _ = facades
    for source in (root / "run", root / "net"):
        words = ("--save", "fake,real", "--size", 32, "-o", here / source.name)
        done = ganprune("translate", source, root / "data/test", *words)
        assert done.code == 0, done.err
        assert "the right halves of its pictures are translated" in done.err
        with Image.open(here / source.name / "000_real_B.png") as seen:
            pixels = torch.tensor(list(seen.tobytes())).view(32, 32, 3).permute(2, 0, 1)
        shown = load_pictures([RightHalf(root / "data/test/000.png")], 32)[0]
        assert (shown.long() - pixels).abs().max() <= 1  # what is shown is truncated once more
        assert (here / source.name / "000_fake_A.png").is_file()


def test_two_folders_of_any_names_are_pairs_where_the_discriminator_sees_both(
    facades: tuple[Path, Outcome], place: Place, here: Path
) -> None:
    root, _ = facades
    net = saved(here / "net", "pix2pix", "pix2pix")
    for name, half in (("labels", LeftHalf), ("photos", RightHalf)):
        (here / name).mkdir()
        for path in (root / "data/train").iterdir():
            whole = load_pictures([half(path)], 36)[0].permute(1, 2, 0)
            Image.fromarray(whole.numpy()).save(here / name / path.name)
    words = ("compress", net, "--data-a", "labels", "--data-b", "photos", "--config", place.config,
             "--target-macs", 0.5, "--set", "align=1", "--set", "recipe=paper",
             "--budget", "1steps")  # fmt: skip
    with stopped_before_export():
        done = ganprune(*words, "-o", "run")
    assert done.code == 130, done.err
    logged = json.loads((here / "run/fine-tune/train.jsonl").read_text().splitlines()[-1])
    assert logged.keys() >= {"G_A", "L1_A", "D_A"}
    assert "cycle_A" not in logged
    (here / "photos/005.png").unlink()
    refused = ganprune(*words, "-o", "other")
    assert refused.code == 3
    told = refused.err.splitlines()[-1]
    assert "pairs need as many pictures of A as of B, found 6 in labels and 5 in photos" in told


def test_joined_files_of_odd_widths_are_refused(
    facades: tuple[Path, Outcome], here: Path, place: Place
) -> None:
    joined(here / "odd", {"train": 3}, 73, 36)
    found = ganprune(
        "compress", *LEAN, facades[0] / "net", "--data", "odd", "--config", place.config, "-o", "run"
    )
    assert found.code == 3
    assert "73 pixels wide; two pictures side by side need an even width" in found.err.splitlines()[-1]


def test_cut_is_compressed_by_the_discriminator_beside_it(place: Place, here: Path) -> None:
    net = saved(here / "net", "CUT", "CUT", "model: cut\nCUT_mode: CUT\n")
    torch.save({"mlp_0.0.weight": torch.ones(2, 2)}, net / "latest_net_F.pth")
    with stopped_before_export():
        done = ganprune(
            "compress", net, "--data", place.data, "--config", place.config, "--target-macs", 0.5,
            "--set", "align=1", "--budget", "1steps", "-o", "run",
        )  # fmt: skip
    assert done.code == 130, done.err
    line = json.loads((here / "run/search.jsonl").read_text().splitlines()[-1])
    assert "B" not in line
    assert line["A"]["L_DisA"] > 0
    assert line["A"]["L_cyc"] == 0
    assert "paired=" not in done.err
    shown = ganprune("inspect", net)
    assert shown.code == 0, shown.err
    assert "missing" not in shown.out


def test_a_lone_generator_goes_the_way_of_its_training_unless_told_otherwise(
    facades: tuple[Path, Outcome], here: Path, place: Place
) -> None:
    root, _ = facades
    words = ("--data", root / "data", "--config", place.config, "--dry-run", "--json")
    for asked, way in (((), "BtoA"), (("--direction", "BtoA"), "BtoA"), (("--direction", "AtoB"), "AtoB")):
        found = ganprune("compress", *LEAN, root / "net", *words, *asked)
        assert found.code == 0, found.err
        assert found.json["settings"]["direction"] == way
    shutil.copy(root / "net/latest_net_G.pth", here)
    plain = ganprune("compress", *LEAN, "latest_net_G.pth", *words)
    assert plain.json["settings"]["direction"] == "AtoB"
    assert plain.json["settings"]["paired"] is True
    apart = ganprune("compress", *LEAN, "latest_net_G.pth", *words, "--set", "paired=false")
    assert apart.json["settings"]["paired"] is False
