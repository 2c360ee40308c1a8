"""What inspection says of run folders and single files."""

import json
import shlex
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ganprune.checkpoints import NET_NAMES, inspect, save_generator
from ganprune.errors import CheckpointError, UsageError
from ganprune.models.cyclegan import NORMS, DiscriminatorWidths, Norm, resnet_widths
from tests.checkpoints import reference
from tests.checkpoints.builders import (
    WIDTHS,
    make_discriminator,
    make_generator,
    make_networks,
    with_relics,
    write_networks,
)

Written = tuple[Path, dict[str, nn.Module]]


def test_a_whole_cyclegan_can_be_compressed_next(cyclegan: Written) -> None:
    found = inspect(cyclegan[0], size=64)
    assert found.found == NET_NAMES
    assert (found.missing, found.problems, found.naming) == ((), (), "CycleGAN")
    assert found.next_command == f"ganprune compress {cyclegan[0]} --data DIR"
    assert [network.task for network in found.networks] == [
        "translates A to B", "translates B to A", "judges B", "judges A",
    ]  # fmt: skip


def test_costs_agree_with_an_independent_counter(cyclegan: Written) -> None:
    for report in inspect(cyclegan[0], size=64).networks:
        network = cyclegan[1][report.name]
        with FlopCounterMode(display=False) as counter:
            network(torch.zeros(1, 3, 64, 64))
        assert report.macs_true == counter.get_total_flops() // 2, report.name
        assert report.params == sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("filters", [(2, 3), (2, 4, 3), (1, 2, 2, 3, 4)])
def test_a_discriminators_field_and_costs_follow_its_depth(tmp_path: Path, filters: tuple[int, ...]) -> None:
    network = make_discriminator(0, DiscriminatorWidths(filters))
    torch.save(network.state_dict(), tmp_path / "latest_net_D_A.pth")
    (report,) = inspect(tmp_path, size=128).networks
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, 128, 128))
    assert report.macs_true == report.macs_paper == counter.get_total_flops() // 2
    # The input pixels that one judgement's gradient reaches, in the convolutions alone.
    picture = torch.zeros(1, 3, 256, 256, requires_grad=True)
    convolutions = nn.Sequential(*(m for m in network.model if isinstance(m, nn.Conv2d)))
    judgements = convolutions(picture)
    judgements[0, 0, judgements.shape[2] // 2, judgements.shape[3] // 2].backward()
    assert picture.grad is not None
    field = int(picture.grad[0].abs().sum((0, 1)).count_nonzero())
    assert report.architecture.startswith(f"PatchGAN {field}×{field}, filters {filters[0]}/")


def test_architectures_are_put_into_words(tmp_path: Path) -> None:
    torch.save(make_generator(0, resnet_widths(2, 3)).state_dict(), tmp_path / "latest_net_G_A.pth")
    torch.save(make_generator(0, WIDTHS).half().state_dict(), tmp_path / "latest_net_G_B.pth")
    whole, slim = inspect(tmp_path).networks
    assert whole.architecture == "resnet_3blocks, ngf 2"
    assert slim.architecture == "resnet_2blocks, filters 2/3/4, inside the blocks 1–5, then 3/2"
    assert (whole.precision, slim.precision) == ("float32", "float16")
    assert (whole.widths["trunk"], [slim.widths[f"inner{i}"] for i in (0, 1)]) == (8, [5, 1])


def test_relics_are_counted(tmp_path: Path) -> None:
    torch.save(with_relics(make_generator(0).state_dict()), tmp_path / "latest_net_G.pth")
    found = inspect(tmp_path)
    assert found.networks[0].relics == 3
    assert found.networks[0].precision == "float32"
    assert any("dropped running statistics" in note for note in found.notes)


def test_missing_discriminators_are_a_problem_and_no_error(tmp_path: Path) -> None:
    write_networks(tmp_path, {"G_A": "latest_net_G_A.pth", "G_B": "latest_net_G_B.pth"})
    found = inspect(tmp_path)
    assert found.missing == ("D_A", "D_B")
    assert found.problems == (
        "D_A, D_B missing: "
        "`ganprune compress` does without, `ganprune train --discriminators-for …` trains them",
    )
    assert found.next_command == f"ganprune compress {tmp_path} --data DIR"


def test_a_lone_generator_is_to_get_the_networks_that_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    write_networks(tmp_path, {"G_A": "latest_net_G.pth"})
    (tmp_path / "opt.txt").write_text(f"dataroot: {tmp_path / 'pictures'}\n")
    for given in (tmp_path, tmp_path / "latest_net_G.pth"):
        found = inspect(given)
        assert found.problems == (
            "G_B, D_A, D_B missing: "
            "`ganprune compress` does without, `ganprune train --discriminators-for …` trains them",
        )
        told = ["ganprune", "compress", str(given), "--data", str(tmp_path / "pictures")]
        assert shlex.split(found.next_command) == told


def test_discriminators_without_generators_are_to_be_put_beside_them(tmp_path: Path) -> None:
    write_networks(tmp_path, {"D_A": "latest_net_D_A.pth", "D_B": "latest_net_D_B.pth"})
    found = inspect(tmp_path)
    assert found.problems == (
        "G_A, G_B missing: put the generators of the same training beside the discriminators",
    )
    assert found.next_command == ""


@pytest.mark.parametrize("norm", NORMS)
def test_norms_are_reported_with_the_parameters_and_costs_they_bring(tmp_path: Path, norm: Norm) -> None:
    networks = make_networks(norm)
    for name, network in networks.items():
        torch.save(network.state_dict(), tmp_path / f"latest_net_{name}.pth")
    (tmp_path / "train_opt.txt").write_text(f"norm: {norm}\n")
    found = inspect(tmp_path, size=64)
    assert found.problems == ()
    for report in found.networks:
        network = networks[report.name]
        assert (report.norm, report.precision, report.relics) == (norm, "float32", 0)
        assert report.params == sum(parameter.numel() for parameter in network.parameters())
        with FlopCounterMode(display=False) as counter:
            network(torch.zeros(1, 3, 64, 64))
        assert report.macs_true == counter.get_total_flops() // 2


def test_a_norm_that_contradicts_the_options_is_a_problem(cyclegan: Written) -> None:
    (cyclegan[0] / "train_opt.txt").write_text("norm: batch\n")
    assert inspect(cyclegan[0]).problems == (
        "the options say norm batch, the tensors instance; the tensors count",
    )


def test_dropout_is_reported(tmp_path: Path) -> None:
    theirs = reference.resnet(2, 1, "batch", dropout=True)
    torch.save(theirs.state_dict(), tmp_path / "latest_net_G_A.pth")
    torch.save(make_generator(1).state_dict(), tmp_path / "latest_net_G_B.pth")
    assert [network.dropout for network in inspect(tmp_path).networks] == [True, False]


def test_a_ganprune_run_is_ready_for_export_and_lacks_nothing(tmp_path: Path) -> None:
    for name in ("G_A", "G_B"):
        save_generator(tmp_path / f"{name}.safetensors", make_generator(0), {})
    found = inspect(tmp_path)
    assert found.problems == ()
    assert found.next_command == f"ganprune export --onnx {tmp_path}"


def test_a_discriminator_of_unknown_domain_is_described(tmp_path: Path) -> None:
    torch.save(make_discriminator(0).state_dict(), tmp_path / "judge.pth")
    found = inspect(tmp_path / "judge.pth")
    assert found.found == ("D",)
    assert found.networks[0].role == "discriminator"
    assert "latest_net_D_A.pth judges B" in found.problems[0]
    assert found.next_command == ""


def test_options_that_contradict_the_tensors_are_a_problem(cyclegan: Written) -> None:
    (cyclegan[0] / "train_opt.txt").write_text("netG: resnet_9blocks\nngf: 2\n")
    found = inspect(cyclegan[0])
    assert found.problems == (
        "the options say netG resnet_9blocks, the tensors resnet_2blocks; the tensors count",
    )


def test_the_next_command_can_be_pasted_into_a_shell(tmp_path: Path) -> None:
    folder, pictures = tmp_path / "it's mine", tmp_path / "my data"
    folder.mkdir()
    pictures.mkdir()
    write_networks(folder, {name: f"latest_net_{name}.pth" for name in NET_NAMES})
    (folder / "train_opt.txt").write_text(f"dataroot: {pictures}\n")
    assert shlex.split(inspect(folder).next_command) == [
        "ganprune", "compress", str(folder), "--data", str(pictures),
    ]  # fmt: skip


def test_json_is_plain_and_has_a_schema_version(cyclegan: Written) -> None:
    found = inspect(cyclegan[0] / "latest_net_G_B.pth", size=64)
    read_back = json.loads(json.dumps(found.to_json()))
    assert read_back["schema"] == 1
    assert read_back["found"] == list(NET_NAMES)
    assert read_back["networks"][0]["file"] == str(cyclegan[0] / "latest_net_G_A.pth")
    assert read_back["networks"][0]["widths"]["inner1"] == 1
    assert read_back["networks"][2].keys() > {"macs_true", "macs_paper"}
    assert read_back["path"] == str(cyclegan[0] / "latest_net_G_B.pth")
    assert read_back.keys() >= {"naming", "size", "missing", "notes", "options", "problems", "next_command"}


@pytest.mark.parametrize("size", [0, -4, 2, 255])
def test_sizes_that_no_generator_takes_are_a_usage_error(cyclegan: Written, size: int) -> None:
    with pytest.raises(UsageError, match=f"--size must be a positive multiple of 4, found {size}"):
        inspect(cyclegan[0], size=size)


def test_what_cannot_be_loaded_is_an_error(cyclegan: Written) -> None:
    (cyclegan[0] / "latest_net_D_B.pth").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"latest_net_D_B\.pth: is empty"):
        inspect(cyclegan[0])
    with pytest.raises(UsageError, match="does not exist"):
        inspect(cyclegan[0] / "nowhere")


def test_the_real_cyclegan_is_described_as_published(real_data: Path) -> None:
    generator, *_ = inspect(real_data / "teachers/horse2zebra").networks
    assert generator.architecture == "resnet_9blocks, ngf 64"
    assert generator.params == 11_378_179
    assert (generator.macs_true, generator.macs_paper) == (49_551_507_456, 56_799_264_768)
    assert generator.precision == "float16"


def test_a_public_generator_of_affine_instance_norm_is_described(real_data: Path) -> None:
    found = inspect(real_data / "teachers/modern2vintage/G_A2B_epoch33.pth")
    (generator,) = found.networks
    assert (generator.norm, generator.precision) == ("affine-instance", "float16")
    assert (generator.architecture, generator.params) == ("resnet_9blocks, ngf 64", 11_388_675)
    assert (generator.macs_true, generator.macs_paper) == (49_551_507_456, 56_799_264_768)
