"""The packaged example through the whole pipeline."""

from pathlib import Path

from tests.cli.kit import ganprune, hasty_demo


def test_an_occupied_folder_is_refused_before_any_work(here: Path) -> None:
    (here / "notes.txt").touch()
    done = ganprune("demo", "-o", here)
    told = f"error: {here} is not empty and holds no run; give `-o` a new or an empty folder"
    assert (done.code, done.err.split()) == (3, told.split())
    done = ganprune("demo", "-o", "notes.txt")
    assert (done.code, done.err) == (3, "error: notes.txt is a file; give `-o` a folder\n")


def test_demo_runs_the_whole_job(here: Path) -> None:
    with hasty_demo():
        done = ganprune("demo", "--budget", "2steps", "--threads", "1", "--json")
        assert done.code == 0, done.err
        (here / "runs/demo/G_B.safetensors").write_text("mine")
        again = ganprune("demo", "--budget", "2steps", "--threads", "1")
    assert again.code == 2
    assert "G_B.safetensors has changed since ganprune made it" in again.err
    assert (here / "runs/demo/G_B.safetensors").read_text() == "mine"
    assert (here / "runs" / "demo" / "pictures.png").is_file()
    assert (here / "runs" / "demo" / "G_A.onnx").is_file()
    original = done.json["coats"]["original"]
    assert original["A"]["after"] > 2 * original["A"]["before"]
    assert original["B"]["after"] < original["B"]["before"] / 2
