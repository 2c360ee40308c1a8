"""What inspect says of everything there is."""

import shutil
from pathlib import Path
from typing import Any

from tests.cli.conftest import Place
from tests.cli.kit import A2B, ganprune, write_checkpoint


def _networks(words: object) -> dict[str, dict[str, Any]]:
    found = ganprune("inspect", words, "--json")
    assert found.code == 0, found.err
    return {network["name"]: network for network in found.json["networks"]}


def test_folder_and_each_of_its_files_tell_the_same(place: Place) -> None:
    whole = _networks(place.checkpoint)
    assert whole.keys() == {"G_A", "G_B", "D_A", "D_B"}
    assert whole["G_A"]["architecture"] == "resnet_2blocks, ngf 4"
    for file in place.checkpoint.iterdir():
        assert _networks(file) == whole


def test_netd_b_judges_domain_b(here: Path) -> None:
    networks = _networks(write_checkpoint(here / "net", A2B))
    assert Path(networks["D_A"]["file"]).name == "netD_B.pth"
    assert networks["D_A"]["task"] == "judges B"


def test_macs_are_counted_at_the_size_asked_for(place: Place) -> None:
    small, large = (
        ganprune("inspect", place.checkpoint, "--size", size, "--json").json for size in (64, 128)
    )
    assert (small["size"], large["size"]) == (64, 128)
    for one, four in zip(small["networks"][:2], large["networks"][:2], strict=True):
        assert four["macs"] == {kind: 4 * count for kind, count in one["macs"].items()}


def test_complete_checkpoint_is_to_be_compressed(place: Place) -> None:
    found = ganprune("inspect", place.checkpoint)
    assert found.code == 0
    assert found.err == f"next: ganprune compress {place.checkpoint} --data DIR\n"


def test_missing_networks_are_told_and_no_error(place: Place, here: Path) -> None:
    net = Path(shutil.copytree(place.checkpoint, here / "net"))
    (net / "latest_net_D_A.pth").unlink()
    found = ganprune("inspect", net)
    assert found.code == 0
    assert "missing: D_A" in found.out
    assert found.err == f"next: ganprune export --onnx {net}\n"


def test_file_of_an_unknown_name_is_told_by_its_content(place: Place, here: Path) -> None:
    shutil.copy(place.checkpoint / "latest_net_D_B.pth", here / "what.bin")
    assert _networks("what.bin").keys() == {"D"}
    shutil.copy(place.checkpoint / "latest_net_G_B.pth", here / "what.bin")
    found = ganprune("inspect", "what.bin")
    assert "one generator alone, taken as G_A" in found.out


def test_run_shows_its_slim_generators(run: Path) -> None:
    networks = _networks(run)
    assert networks.keys() == {"G_A", "G_B"}
    assert all(network["params"] < 13_379 for network in networks.values())


def test_last_run_is_the_default(place: Place, run: Path) -> None:
    place.compress("-o", run)
    assert ganprune("inspect", "--json").json == ganprune("inspect", run, "--json").json
    assert ganprune("inspect", "runs/latest", "--json").json == ganprune("inspect", run, "--json").json


def test_onnx_file_costs_what_its_generator_costs(run: Path) -> None:
    generator = ganprune("inspect", run, "--size", "32", "--json").json["networks"][0]
    found = ganprune("inspect", run / "G_A.onnx", "--json").json
    assert found["kind"] == "ONNX"
    assert found["input"] == {"name": "input", "type": "float32", "shape": [1, 3, 32, 32]}
    assert found["macs"] == generator["macs"]
    assert found["params"] == generator["params"]
    assert found["opset"] == 18
    assert f"{generator['params']:,}" in ganprune("inspect", run / "G_A.onnx").out
