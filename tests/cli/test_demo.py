"""The packaged example through the whole pipeline."""

from pathlib import Path

from tests.cli.kit import ganprune, hasty_demo


def test_demo_runs_the_whole_job(here: Path) -> None:
    with hasty_demo():
        done = ganprune("demo", "--budget", "2steps", "--threads", "1", "--json")
    assert done.code == 0, done.err
    assert (here / "runs" / "demo" / "pictures.png").is_file()
    assert (here / "runs" / "demo" / "G_A.onnx").is_file()
    original = done.json["coats"]["original"]
    assert original["A"]["after"] > 2 * original["A"]["before"]
    assert original["B"]["after"] < original["B"]["before"] / 2
