"""Folders and files to quartets: namings, siblings, epochs, and what is said of missing networks."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from ganprune.checkpoints import NET_NAMES, Own, Quartet, load_generator, load_quartet, save_generator
from ganprune.checkpoints.layouts import LAYOUTS
from ganprune.errors import CheckpointError, MissingNetwork, UsageError
from ganprune.models.cyclegan import NORMS, DiscriminatorWidths, Norm, resnet_widths
from tests.checkpoints.builders import (
    FILTERS,
    assert_same,
    make_discriminator,
    make_generator,
    make_networks,
    with_relics,
    write_networks,
)
from tests.models import schools

Written = tuple[Path, dict[str, nn.Module]]


def test_one_cyclegan_written_in_both_namings_gives_the_same_quartet(cyclegan: Written, a2b: Written) -> None:
    ours, theirs = load_quartet(cyclegan[0]), load_quartet(a2b[0])
    for name in NET_NAMES:
        assert_same(getattr(ours, name), cyclegan[1][name])
        assert_same(getattr(theirs, name), cyclegan[1][name])
    assert (ours.naming, theirs.naming) == ("CycleGAN", "A2B")


WAYS: dict[str, tuple[str, Callable[[nn.Module, Path], object]]] = {
    "torch.save": (".pth", lambda net, file: torch.save(net.state_dict(), file)),
    "torch.save before 1.6": (
        ".pth",
        lambda net, file: torch.save(net.state_dict(), file, _use_new_zipfile_serialization=False),
    ),
    "safetensors": (".safetensors", lambda net, file: safetensors.torch.save_file(net.state_dict(), file)),
    "half precision": (".pt", lambda net, file: torch.save(net.half().state_dict(), file)),
    "DataParallel": (".pth", lambda net, file: torch.save(nn.DataParallel(net).state_dict(), file)),
    "torch.compile": (
        ".pth",
        lambda net, file: torch.save({f"_orig_mod.{k}": t for k, t in net.state_dict().items()}, file),
    ),
    "wrapped": (".pth", lambda net, file: torch.save({"state_dict": net.state_dict(), "epoch": 3}, file)),
}


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("way", WAYS)
def test_a_whole_training_is_read_however_it_was_saved(tmp_path: Path, way: str, norm: Norm) -> None:
    suffix, save = WAYS[way]
    networks = make_networks(norm)
    for name, network in networks.items():
        save(network, tmp_path / f"latest_net_{name}{suffix}")
    quartet = load_quartet(tmp_path)
    assert (quartet.naming, quartet.missing()) == ("CycleGAN", ())
    for name, network in networks.items():
        assert_same(getattr(quartet, name), network.float())


def test_d_a_judges_domain_b_so_it_is_read_from_net_d_b(a2b: Written) -> None:
    quartet = load_quartet(a2b[0])
    assert quartet.files["D_A"].name == "netD_B.pth"
    assert quartet.files["D_B"].name == "netD_A.pth"
    judge_of_b = torch.load(a2b[0] / "netD_B.pth", weights_only=True)
    assert quartet.D_A is not None
    assert torch.equal(quartet.D_A.state_dict()["model.0.weight"], judge_of_b["model.0.weight"])


def test_any_one_file_brings_its_siblings(cyclegan: Written) -> None:
    whole = load_quartet(cyclegan[0])
    for name in NET_NAMES:
        assert load_quartet(cyclegan[0] / f"latest_net_{name}.pth").files == whole.files


def test_networks_are_float32_frozen_and_in_eval_mode(cyclegan: Written) -> None:
    for name, network in cyclegan[1].items():
        torch.save(network.half().state_dict(), cyclegan[0] / f"latest_net_{name}.pth")
    quartet = load_quartet(cyclegan[0])
    for name in NET_NAMES:
        network = getattr(quartet, name)
        assert not network.training
        for parameter in network.parameters():
            assert parameter.dtype == torch.float32
            assert not parameter.requires_grad


@pytest.mark.parametrize(
    ("epochs", "preferred"),
    [
        (("5", "200", "40"), "200"),
        (("200", "latest"), "latest"),
        (("iter_900", "iter_5000"), "iter_5000"),
        (("iter_5000", "2"), "2"),
        (("best", "iter_1"), "iter_1"),
        (("final",), "final"),
    ],
)
def test_a_folder_gives_latest_else_its_highest_epoch(
    tmp_path: Path, epochs: tuple[str, ...], preferred: str
) -> None:
    for epoch in epochs:
        write_networks(tmp_path, {name: f"{epoch}_net_{name}.pth" for name in NET_NAMES})
    quartet = load_quartet(tmp_path)
    assert {path.name for path in quartet.files.values()} == {f"{preferred}_net_{n}.pth" for n in NET_NAMES}


def test_a_file_brings_siblings_of_its_own_epoch_alone(tmp_path: Path) -> None:
    write_networks(tmp_path, {name: f"latest_net_{name}.pth" for name in NET_NAMES})
    write_networks(tmp_path, {"G_A": "60_net_G_A.pth", "D_B": "60_net_D_B.pth"})
    quartet = load_quartet(tmp_path / "60_net_G_A.pth")
    assert {name: path.name for name, path in quartet.files.items()} == {
        "G_A": "60_net_G_A.pth",
        "D_B": "60_net_D_B.pth",
    }
    assert quartet.missing() == ("G_B", "D_A")


def test_of_two_namings_the_one_with_more_networks_is_read(cyclegan: Written) -> None:
    torch.save(make_generator(9).state_dict(), cyclegan[0] / "latest_net_G.pth")
    save_generator(cyclegan[0] / "G_A.safetensors", make_generator(8), {})
    assert load_quartet(cyclegan[0]).naming == "CycleGAN"
    assert load_quartet(cyclegan[0] / "latest_net_G.pth").files.keys() == {"G_A"}


def test_a_lone_generator_is_g_a_and_is_said_to_be(tmp_path: Path) -> None:
    write_networks(tmp_path, {"G_B": "latest_net_G.pth"})
    quartet = load_quartet(tmp_path)
    assert_same(quartet.G_A, make_generator(2))
    assert quartet.notes == ("latest_net_G.pth is one generator alone, taken as G_A",)


def test_a_file_with_any_name_is_a_generator_by_itself(cyclegan: Written) -> None:
    file = cyclegan[0] / "horse2zebra.pth"
    shutil.copy(cyclegan[0] / "latest_net_G_B.pth", file)
    quartet = load_quartet(file)
    assert_same(quartet.G_A, cyclegan[1]["G_B"])
    assert quartet.missing() == ("G_B", "D_A", "D_B")
    assert_same(load_generator(file), cyclegan[1]["G_B"])


def test_a_ganprune_run_is_read_from_its_safetensors(tmp_path: Path) -> None:
    write_networks(tmp_path, {"G_A": "latest_net_G_A.pth", "G_B": "latest_net_G_B.pth"})
    save_generator(tmp_path / "G_A.safetensors", make_generator(1), {"kept": "[0]"})
    save_generator(tmp_path / "G_B.safetensors", make_generator(2), {"kept": "[0]"})
    quartet = load_quartet(tmp_path)
    assert quartet.naming == "ganprune run"
    assert_same(quartet.G_B, make_generator(2))


def test_missing_networks_are_named_with_what_was_found_and_looked_for(cyclegan: Written) -> None:
    (cyclegan[0] / "latest_net_D_A.pth").unlink()
    (cyclegan[0] / "latest_net_D_B.pth").unlink()
    quartet = load_quartet(cyclegan[0])
    quartet.require("G_A", "G_B")
    with pytest.raises(MissingNetwork) as caught:
        quartet.require("D_B", "G_A", "D_A")
    assert str(caught.value) == (
        "needed D_A and D_B; found G_A (latest_net_G_A.pth), G_B (latest_net_G_B.pth); "
        f"looked for latest_net_D_A.pth, latest_net_D_B.pth in {cyclegan[0]}; put the networks of the same "
        "training there, or train what is missing (CycleGAN's published models come without discriminators): "
        f"`ganprune train --discriminators-for {cyclegan[0]} --data DIR`"
    )


def test_missing_networks_of_the_a2b_naming_are_looked_for_under_its_names(a2b: Written) -> None:
    (a2b[0] / "netD_B.pth").unlink()
    with pytest.raises(MissingNetwork, match=r"needed D_A; found .*; looked for netD_B\.pth in "):
        load_quartet(a2b[0]).require(*NET_NAMES)


def test_a_lone_generator_is_told_how_to_bring_the_others(tmp_path: Path) -> None:
    write_networks(tmp_path, {"G_A": "latest_net_G.pth"})
    with pytest.raises(MissingNetwork, match=r"a lone generator has no others in .*named latest_net_G_A"):
        load_quartet(tmp_path).require("G_B", "D_A")
    with pytest.raises(MissingNetwork, match=r"needed D_A; .*; looked for latest_net_D\.pth in "):
        load_quartet(tmp_path).require("D_A")


def test_networks_that_lie_deeper_are_told(tmp_path: Path) -> None:
    for name in ("h2z", "a2o"):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
        (tmp_path / "checkpoints" / name / "latest_net_G_A.pth").touch()
    inside = tmp_path / "checkpoints"
    with pytest.raises(CheckpointError, match=f"give one of {inside / 'a2o'}, {inside / 'h2z'}$"):
        load_quartet(tmp_path)
    (inside / "a2o" / "latest_net_G_A.pth").unlink()
    with pytest.raises(
        CheckpointError, match=f"no networks here, but in folders of it: give {inside / 'h2z'}$"
    ):
        load_quartet(tmp_path)


def test_a_folder_without_networks_is_told_what_it_holds_and_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "horse2zebra").mkdir()
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(CheckpointError) as caught:
        load_quartet(tmp_path)
    assert "it holds horse2zebra/, notes.txt; looked for G_A.safetensors, " in str(caught.value)
    for layout in LAYOUTS:
        assert layout.example in str(caught.value)
    assert "netG_A2B.pth" in str(caught.value)


def test_a_path_that_does_not_exist_is_a_usage_error(tmp_path: Path) -> None:
    for read in (load_quartet, load_generator):
        with pytest.raises(UsageError, match=r"nowhere\.pth does not exist"):
            read(tmp_path / "nowhere.pth")


def test_a_discriminator_under_a_generators_name_is_said_to_be_one(cyclegan: Written) -> None:
    shutil.copy(cyclegan[0] / "latest_net_D_A.pth", cyclegan[0] / "latest_net_G_A.pth")
    with pytest.raises(
        CheckpointError, match=r"latest_net_G_A\.pth: holds a discriminator, a generator was needed"
    ):
        load_quartet(cyclegan[0])


def test_a_generator_under_a_discriminators_name_is_said_to_be_one(cyclegan: Written) -> None:
    shutil.copy(cyclegan[0] / "latest_net_G_A.pth", cyclegan[0] / "latest_net_D_B.pth")
    with pytest.raises(
        CheckpointError, match=r"latest_net_D_B\.pth: holds a generator, a discriminator was needed"
    ):
        load_quartet(cyclegan[0])


def test_a_discriminator_with_any_name_is_told_the_names_that_say_what_it_judges(tmp_path: Path) -> None:
    torch.save(make_discriminator(1).state_dict(), tmp_path / "judge.pth")
    with pytest.raises(CheckpointError, match=r"under the name latest_net_D_A\.pth \(judges B\)"):
        load_quartet(tmp_path / "judge.pth")


def test_networks_that_see_different_channels_are_not_of_one_training(cyclegan: Written) -> None:
    grey = make_discriminator(5, DiscriminatorWidths(FILTERS.filters, in_channels=1))
    torch.save(grey.state_dict(), cyclegan[0] / "latest_net_D_A.pth")
    with pytest.raises(CheckpointError, match=r"pictures of B have different numbers of channels: .*D_A 1"):
        load_quartet(cyclegan[0])


def test_a_training_between_colour_and_grey_fits_together(tmp_path: Path) -> None:
    networks = {
        "G_A": make_generator(1, resnet_widths(2, 1, in_channels=3, out_channels=1)),
        "G_B": make_generator(2, resnet_widths(2, 1, in_channels=1, out_channels=3)),
        "D_A": make_discriminator(3, DiscriminatorWidths((2, 2), in_channels=1)),
        "D_B": make_discriminator(4, DiscriminatorWidths((2, 2), in_channels=3)),
    }
    for name, network in networks.items():
        torch.save(network.state_dict(), tmp_path / f"latest_net_{name}.pth")
    assert load_quartet(tmp_path).missing() == ()


def test_dropped_relics_are_told_in_one_note(cyclegan: Written) -> None:
    for name in ("G_A", "D_B"):
        file = cyclegan[0] / f"latest_net_{name}.pth"
        torch.save(with_relics(cyclegan[1][name].state_dict()), file)
    quartet = load_quartet(cyclegan[0])
    assert quartet.notes[:-1] == (
        "dropped running statistics that instance norm does not use: latest_net_G_A.pth, latest_net_D_B.pth",
    )
    assert_same(quartet.G_A, cyclegan[1]["G_A"])


def test_statistics_that_count_batches_may_be_used_and_how_to_keep_them_is_told(tmp_path: Path) -> None:
    """PyTorch before 0.4.1 counted none, and its instance norm used no statistics."""
    network = schools.trained(lambda: schools.resnet("tracked, no weights"))
    state = network.state_dict()
    torch.save(state, tmp_path / "G.pth")
    assert "track_running_stats=True uses them" in load_quartet(tmp_path).notes[1]
    module = schools.resnet("tracked, no weights")
    kept = load_quartet(tmp_path, own=Own.of(module)).G_A
    picture = torch.rand(1, 3, 16, 16)
    assert kept is not None
    assert torch.equal(kept(picture), network(picture))
    old = {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}
    torch.save(old, tmp_path / "G.pth")
    assert not any("track_running_stats" in note for note in load_quartet(tmp_path).notes)


def test_a_quartet_made_by_hand_knows_what_it_lacks() -> None:
    quartet = Quartet(make_generator(1), None, None, make_discriminator(2))
    assert quartet.missing() == ("G_B", "D_A")
    with pytest.raises(MissingNetwork, match="needed D_A; found G_A, D_B; "):
        quartet.require("D_A", "D_B")


def test_the_real_cyclegan_has_the_published_size(real_data: Path) -> None:
    quartet = load_quartet(real_data / "teachers/horse2zebra")
    quartet.require(*NET_NAMES)
    assert quartet.G_A is not None
    assert quartet.D_A is not None
    assert quartet.G_A.widths == resnet_widths(64, 9)
    assert quartet.D_A.widths == DiscriminatorWidths((64, 128, 256, 512))
