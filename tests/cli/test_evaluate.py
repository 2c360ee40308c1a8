"""``ganprune evaluate`` on folders, labels and a run, and what it says when it stops."""

import json
import shlex
import shutil
from pathlib import Path

import pytest
import torch

from ganprune.checkpoints import load_generator, load_quartet
from ganprune.images import load_pictures, to_float
from ganprune.metrics import features_of, fid, kid, load_features, pictures_in
from ganprune.metrics.controls import lost, probe, psnr
from ganprune.pruning.fitness import l_cyc, l_disa, l_gena
from tests.cli.conftest import Mission, Place
from tests.cli.kit import LEAN, Outcome, ganprune, listing
from tests.cli.test_bad_input import refusal
from tests.metrics.kit import keras_file, random_uint8, save_all
from tests.metrics.test_fcn import blocks, coloured, nearest_colour, save


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return keras_file(tmp_path_factory.mktemp("features") / "m.safetensors")


@pytest.fixture(autouse=True)
def no_features_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GANPRUNE_FEATURES", raising=False)


@pytest.fixture
def folders(here: Path) -> Path:
    """Pictures in fakes, real, train, original and inputs; the last two in pairs with fakes."""
    save_all(here / "fakes", random_uint8(4, seed=1), "{}_fake_B.png")
    save_all(here / "original", random_uint8(4, seed=2), "{}_fake_B.png")
    save_all(here / "inputs", random_uint8(4, seed=3), "{}.jpg")
    save_all(here / "real", random_uint8(5, seed=4))
    save_all(here / "train", random_uint8(6, seed=5))
    return here


def evaluate(*words: object) -> Outcome:
    return ganprune("evaluate", *words, "--threads", 1)


def test_folders_get_the_figures_of_the_library(folders: Path, weights: Path) -> None:
    more = ("--probe", "inputs", "real", "--lost", "original", "inputs", "--fid", "--set", "train=train")
    found = evaluate("fakes", "real", "--features", weights, *more, "--json")
    assert found.code == 0, found.err
    network = load_features(weights, threads=1)
    f = {name: features_of(network, pictures_in(Path(name)))
         for name in ("fakes", "real", "train", "original", "inputs")}  # fmt: skip
    expected = {
        "kid": kid(f["fakes"], f["real"]),
        "fid_test": fid(f["fakes"], f["real"]),
        "fid_train_test": fid(f["fakes"], torch.cat([f["train"], f["real"]])),
        "as_b": probe(f["inputs"], f["real"], f["fakes"]),
        "lost": lost(f["fakes"], f["original"], f["inputs"]),
        "psnr": psnr(random_uint8(4, seed=1), random_uint8(4, seed=2)),
    }  # fmt: skip
    assert {name: found.json[name] for name in expected} == pytest.approx(expected)
    assert (found.json["n_fakes"], found.json["n_real"]) == (4, 5)
    assert found.json["features"] == network.name
    assert found.json["fid_protocols"] == {
        "fid_test": "against real test pictures", "fid_train_test": "against real train + test pictures",
    }  # fmt: skip
    low, high = found.json["kid_interval"]
    assert low < expected["kid"] < high
    less = found.json["less"]["original"]["kid"]
    assert less == pytest.approx(expected["kid"] - kid(f["original"], f["real"]))
    table = evaluate("fakes", "real", "--features", weights, *more)
    assert f"fakes less original, the same pictures: KID {less:+.4f} [" in table.out


def test_pictures_of_other_sizes_have_no_psnr(folders: Path, weights: Path) -> None:
    save_all(folders / "large", random_uint8(4, 64, seed=2), "{}_fake_B.png")
    found = evaluate("fakes", "real", "--features", weights, "--lost", "large", "inputs", "--json")
    assert found.code == 0, found.err
    assert "psnr" not in found.json
    assert found.json["lost"] > 0
    assert found.err.splitlines()[-1] == f"next: ganprune evaluate RUN --features {weights}"


def test_pictures_that_are_the_originals_have_no_finite_psnr(folders: Path, weights: Path) -> None:
    found = evaluate("fakes", "real", "--features", weights, "--lost", "fakes", "inputs", "--json")
    assert (found.json["psnr"], found.json["psnr_interval"]) == (None, [None, None])


def test_table_names_features_and_protocols(folders: Path, weights: Path) -> None:
    found = evaluate("fakes", "real", "--features", weights, "--fid", "--markdown", "--set", "bootstrap=20")
    assert found.code == 0, found.err
    assert "| KID | FID, test |" in found.out
    assert "FID, test: against real test pictures" in found.out
    assert "train + test" not in found.out
    assert "by Keras" in found.out
    assert "bootstrap of 20, seed 0" in found.out


def test_features_may_come_from_the_environment(folders: Path, weights: Path, monkeypatch) -> None:
    monkeypatch.setenv("GANPRUNE_FEATURES", str(weights))
    found = evaluate("fakes", "real", "--json", "--set", "bootstrap=0")
    assert found.code == 0, found.err
    assert found.json["kid"] == evaluate("fakes", "real", "--json", "--features", weights).json["kid"]
    assert "kid_interval" not in found.json


def test_nothing_is_written_without_a_cache(folders: Path, weights: Path) -> None:
    before = listing(folders)
    once = evaluate("fakes", "real", "--features", weights, "--json")
    assert listing(folders) == before
    kept = evaluate("fakes", "real", "--features", weights, "--json", "--set", "cache=kept")
    assert len(list(Path("kept").iterdir())) == 2
    again = evaluate("fakes", "real", "--features", weights, "--json", "--set", "cache=kept")
    assert once.json == kept.json == again.json
    assert [line.partition(" ")[0] for line in again.err.splitlines()] == ["next:"]


def test_unreadable_picture_among_many_is_skipped(folders: Path, weights: Path) -> None:
    save_all(folders / "fakes", random_uint8(12, seed=6), "more {}.png")
    (folders / "fakes/bad.png").write_bytes(b"no picture")
    found = evaluate("fakes", "real", "--features", weights, "--json", "-q")
    assert found.json["n_fakes"] == 16
    assert "skipped 1 of 17 pictures" in found.err


def test_what_each_command_names_next_works_and_comes_to_an_end(
    run: Path, mission: Mission, place: Place, weights: Path
) -> None:
    words, seen = mission.compress.err.splitlines()[-1], list[str]()
    while not words.endswith("--serve"):  # which ends with Ctrl-C
        for word, given in (("PICTURES", place.data / "testA"), ("FILE", weights),
                                   (mission.run.relative_to(mission.folder), run)):  # fmt: skip
            words = words.replace(str(word), str(given))
        assert words not in seen
        seen.append(words)
        done = ganprune(*shlex.split(words)[2:])
        assert done.code == 0, done.err
        words = done.err.splitlines()[-1]
    assert [line.split()[2] for line in seen] == ["translate", "evaluate"]


def test_labels_get_the_fcn_score(here: Path) -> None:
    for i in range(2):
        save(here / "fakes", f"{i}_fake_A.png", coloured(blocks(i)))
        save(here / "labels", f"{i}.png", coloured(blocks(i)))
    nearest_colour(here / "seg.onnx")
    words = ("fakes", "labels", "--fcn", "seg.onnx", "--set", "fcn-input=raw")
    found = evaluate(*words, "--json")
    assert found.code == 0, found.err
    assert {name: found.json[name] for name in ("pixel_accuracy", "class_accuracy", "class_iou")} == {
        "pixel_accuracy": 1.0, "class_accuracy": 1.0, "class_iou": 1.0,
    }  # fmt: skip
    assert "class_iou_interval" not in evaluate(*words, "--json", "--set", "bootstrap=0").json
    table = evaluate(*words)
    assert "FCN score, 2 pictures, 19 classes" in table.out
    assert "network: seg.onnx, fed as raw" in table.out


@torch.inference_mode()
def expected_of(
    run: Path, place: Place, weights: Path, side: str = "A", other: str = "B"
) -> dict[str, float]:
    """Figures of the slim generator that translates pictures of a side to the other, by plain calls."""
    quartet, slim = load_quartet(place.checkpoint), load_generator(run / f"G_{side}.safetensors")
    G, D = (quartet.G_A, quartet.D_A) if side == "A" else (quartet.G_B, quartet.D_B)
    assert G is not None
    assert D is not None
    inputs = load_pictures(pictures_in(place.data / f"test{side}"), 32)
    x = to_float(inputs)
    original, fake = (torch.cat([net(one) for one in x.split(1)]) for net in (G, slim))
    see = load_features(weights, threads=1)

    def pixels(y: torch.Tensor) -> torch.Tensor:
        return ((y + 1) / 2 * 255).to(torch.uint8)

    def seen(y: torch.Tensor) -> torch.Tensor:
        return see(pixels(y))

    source, target, train = (
        features_of(see, pictures_in(place.data / name))
        for name in (f"test{side}", f"test{other}", f"train{other}")
    )
    return {
        "kid": kid(seen(fake), target),
        "fid_test": fid(seen(fake), target),
        "fid_train_test": fid(seen(fake), torch.cat([train, target])),
        "as_b": probe(source, target, seen(fake)),
        "lost": lost(seen(fake), seen(original), see(inputs)),
        "psnr": psnr(pixels(fake), pixels(original)),
        "L_GenA": l_gena(original, fake),
        "L_DisA": l_disa(D(original), D(fake)),
        "L_cyc": l_cyc(load_generator(run / f"G_{other}.safetensors")(fake), x),
    }


def test_run_is_compared_with_its_originals_and_the_inputs(run: Path, place: Place, weights: Path) -> None:
    found = evaluate(run, "--features", weights, "--json", "--fid", "--set", "bootstrap=10")
    assert found.code == 0, found.err
    assert [part["network"] for part in found.json["directions"]] == ["G_A", "G_B"]
    rows = found.json["directions"][0]["rows"]
    assert [row["pictures"] for row in rows] == ["inputs", "original", "original, mirrored", "slim"]
    expected = expected_of(run, place, weights)
    assert {name: rows[3][name] for name in expected} == pytest.approx(expected, rel=1e-3, abs=1e-9)
    back = found.json["directions"][1]["rows"]
    expected = expected_of(run, place, weights, "B", "A")
    assert {name: back[3][name] for name in expected} == pytest.approx(expected, rel=1e-3, abs=1e-9)
    for row in rows:
        assert row["n_fakes"] == row["n_real"] == 8
        assert {"fid_test", "fid_train_test"} < row.keys()
    assert (rows[0]["lost"], rows[1]["lost"]) == (1, 0)
    assert rows[1]["psnr"] is None  # infinite
    assert rows[2]["lost"] > 0
    assert rows[2]["psnr"] > rows[0]["psnr"] > 0
    assert ["less" in row for row in rows] == [True, False, True, True]
    assert (rows[1]["L_GenA"], rows[1]["L_DisA"], rows[0]["L_cyc"]) == (0, 0, None)
    assert found.err.splitlines()[-1] == f"next: ganprune report {run} --serve"

    again = evaluate(run, "--features", weights, "--json", "--fid", "--set", "bootstrap=10")
    assert again.json == found.json
    assert "features" in found.err
    assert "features" not in again.err  # they are in the run's cache
    table = evaluate(run, "--features", weights, "--set", "pictures=4")
    assert "G_B, BtoA: 4 test pictures at 32×32, against 8 real ones" in table.out
    assert "L_cyc" in table.out
    assert "∞" in table.out
    assert "slim less original, the same pictures: KID " in table.out


def test_files_of_reduced_precision_have_rows_of_their_own(run: Path, weights: Path) -> None:
    assert ganprune("export", "--onnx", "--fp16", "--int8", run).code in (0, 4)
    words = (run, "--features", weights, "--json", "--set", "bootstrap=0")
    found = evaluate(*words)
    assert found.code == 0, found.err
    for part in found.json["directions"]:
        rows = {row["pictures"]: row for row in part["rows"]}
        assert list(rows) == ["inputs", "original", "original, mirrored", "slim", "slim, fp16", "slim, int8"]
        assert rows["slim, fp16"]["L_GenA"] == pytest.approx(rows["slim"]["L_GenA"], rel=0.01)
        assert rows["slim, int8"]["L_GenA"] != rows["slim"]["L_GenA"]
        assert rows["slim, int8"]["L_cyc"] is None
        assert rows["slim, int8"]["less"].keys() == {"original", "slim"}
        less = rows["slim, int8"]["less"]["slim"]
        assert less["lost"] == pytest.approx(rows["slim, int8"]["lost"] - rows["slim"]["lost"], abs=1e-9)
    shutil.copy(run / "G_B.safetensors", run / "G_A.safetensors")
    other = evaluate(*words)
    assert [row["pictures"] for row in other.json["directions"][0]["rows"]][-1] == "slim"
    assert len(other.json["directions"][1]["rows"]) == 6
    assert "G_A.int8.onnx was made of other weights; make it anew: ganprune export --onnx --int8" in other.err


def test_one_direction_is_judged_by_a_recovered_discriminator(
    place: Place, here: Path, weights: Path
) -> None:
    for name in ("G_A", "G_B"):
        (here / "net").mkdir(exist_ok=True)
        shutil.copy(place.checkpoint / f"latest_net_{name}.pth", here / "net")
    words = ("net", "--data", place.data, "--config", place.config, "-o", "run", "--direction", "AtoB")
    made = ganprune("compress", *LEAN, *words, "--recover-discriminators", "--set", "recover-budget=2steps")
    assert made.code == 0, made.err
    found = evaluate("run", "--features", weights, "--json", "--set", "bootstrap=0")
    assert found.code == 0, found.err
    (part,) = found.json["directions"]
    assert (part["network"], part["direction"]) == ("G_A", "AtoB")
    slim_row = part["rows"][-1]
    assert slim_row["L_DisA"] > 0
    x = to_float(load_pictures(pictures_in(place.data / "testA"), 32))
    whole, slim = load_generator(Path("net/latest_net_G_B.pth")), load_generator(Path("run/G_A.safetensors"))
    with torch.inference_mode():  # the slim one's partner is the original G_B
        assert slim_row["L_cyc"] == pytest.approx(l_cyc(whole(slim(x)), x), rel=1e-3)


def test_last_run_is_the_default(mission: Mission, weights: Path, monkeypatch, tmp_path: Path) -> None:
    shutil.copytree(mission.folder / "runs", tmp_path / "runs")  # `evaluate` writes into the run
    monkeypatch.chdir(tmp_path)
    found = evaluate(
        "--features", weights, "--json", "--set", f"cache={tmp_path}/kept", "--set", "bootstrap=0"
    )
    assert found.code == 0, found.err
    assert found.json["run"] == f"runs/{mission.run.name}"


def test_run_without_test_pictures_is_refused(run: Path, place: Place, here: Path, weights: Path) -> None:
    shutil.copytree(place.data / "trainA", here / "data/trainA")
    words = (run, "--features", weights, "--data", "data")
    assert "data needs a folder testA (or test/A), found trainA/" in refusal(evaluate(*words), 3)


def test_run_whose_originals_changed_is_refused(run: Path, place: Place, here: Path, weights: Path) -> None:
    shutil.copytree(place.checkpoint, here / "net")
    config = (run / "config.toml").read_text().replace(json.dumps(str(place.checkpoint)), '"net"')
    (run / "config.toml").write_text(config)
    assert evaluate(run, "--features", weights, "-q", "--set", "bootstrap=0").code == 0
    shutil.copy("net/latest_net_G_B.pth", "net/latest_net_G_A.pth")
    assert "the networks at net have changed" in refusal(evaluate(run, "--features", weights), 3)
    shutil.rmtree("net")
    assert "original networks are needed and were not found" in refusal(
        evaluate(run, "--features", weights), 3
    )


REFUSED = {
    "no features": (("fakes", "real"), 2, "give --features FILE or set GANPRUNE_FEATURES; `ganprune"),
    "no file": (("fakes", "real", "--features", "gone"), 2, "found no file gone; `ganprune download"),
    "another network": (("fakes", "real", "--features", "CKPT"), 3, "needed the tensors of MobileNetV2"),
    "no folder": (("gone", "real", "--features", "FILE"), 2, "gone does not exist; give a folder"),
    "few": (("fakes", "one", "--features", "FILE"), 3, "one: needed at least 2 pictures, found 1"),
    "no run": (("fakes", "--features", "FILE"), 3, "fakes is no run folder"),
    "three": (("fakes", "real", "train", "--features", "FILE"), 2, "a run, or two folders, found 3"),
    "no pairs": (("fakes", "real", "--features", "FILE", "--lost", "real", "real"), 3, "in pairs, found 4"),
    "train": (("fakes", "real", "--features", "FILE", "--set", "train=train"), 2, "--set train is for FID"),
    "data": (("fakes", "real", "--features", "FILE", "--data", "."), 2, "--data is for a run"),
    "bootstrap": (("fakes", "real", "--features", "FILE", "--set", "bootstrap=1"), 2, "bootstrap must be 0"),
    "fcn and fid": (("fakes", "real", "--fcn", "FILE", "--fid"), 2, "--fid and --fcn contradict"),
    "json": (("fakes", "real", "--json", "--markdown"), 2, "one of --json and --markdown"),
}  # fmt: skip


@pytest.mark.parametrize(("words", "code", "told"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_measured_is_refused(
    folders: Path, weights: Path, place: Place, words: tuple[str, ...], code: int, told: str
) -> None:
    save_all(folders / "one", random_uint8(1))
    paths = {"FILE": weights, "CKPT": place.checkpoint / "latest_net_G_A.pth"}
    assert told in refusal(evaluate(*(paths.get(word, word) for word in words), "-q"), code)


def test_run_does_not_take_options_of_folders(run: Path, weights: Path) -> None:
    found = evaluate(run, "--features", weights, "--probe", "a", "b")
    assert "--probe is for two folders" in refusal(found, 2)
