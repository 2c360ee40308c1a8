"""One file a network, under every school's names: which are of one training, and whose domain a D judges."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from ganprune.checkpoints import NET_NAMES, NetName, load_quartet
from ganprune.checkpoints.layouts import locate
from ganprune.checkpoints.layouts.conventions import CONVENTIONS, Convention
from ganprune.errors import CheckpointError
from ganprune.models.cyclegan import Discriminator, DiscriminatorWidths
from tests.checkpoints.builders import (
    assert_same,
    make_discriminator,
    make_generator,
    make_networks,
    seeded,
    write_networks,
)
from tests.checkpoints.test_bundles import SPELLINGS
from tests.models import schools

FORMS = ("{}.pth", "{}_epoch_100.pth", "{}-epoch=7.ckpt", "{}.pth.tar", "{}.bin", "horse2zebra_{}.pkl",
         "latest_{}.pt", "iter_500_{}.pth", "{}_epoch33.pth")  # fmt: skip


def files_of(school: str, form: str) -> dict[str, str]:
    return dict(zip(NET_NAMES, map(form.format, SPELLINGS[school]), strict=True))


@pytest.mark.parametrize(
    ("school", "form"), [*((school, "{}_199.pth") for school in SPELLINGS), *(("AB", form) for form in FORMS)]
)
def test_a_folder_and_any_one_of_its_files_give_the_whole_training(
    tmp_path: Path, school: str, form: str
) -> None:
    names = files_of(school, form)
    networks = write_networks(tmp_path, names)
    for given in (tmp_path, *(tmp_path / name for name in names.values())):
        quartet = load_quartet(given)
        for name in NET_NAMES:
            assert_same(getattr(quartet, name), networks[name])
        assert not quartet.alone
        assert quartet.notes == ()


@pytest.mark.parametrize(
    "convention", [one for one in CONVENTIONS if not one.alone], ids=lambda convention: convention.title
)
def test_every_row_of_the_table_serves_files_and_entries_alike(
    tmp_path: Path, convention: Convention
) -> None:
    for number, school in enumerate(convention.schools):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name in school.values():
            (folder / f"{name}.pth").touch()
        assert {ours: path.stem for ours, path in locate(folder).files.items()} == school
        torch.save({name: {"model.1.weight": torch.ones(1)} for name in school.values()}, folder / "all")
        assert locate(folder / "all").entries == school


@pytest.mark.parametrize(
    ("epochs", "preferred"),
    [
        (("G_AB_5", "G_AB_40", "G_AB_200"), "G_AB_200"),
        (("G_AB_199", "G_AB_latest"), "G_AB_latest"),
        (("G_AB_199", "G_AB"), "G_AB"),
        (("netG_A2B_epoch_20", "netG_A2B_epoch_100"), "netG_A2B_epoch_100"),
        (("gen_AB_ema", "gen_AB_3"), "gen_AB_3"),
    ],
)
def test_a_folder_gives_latest_else_the_highest_epoch(
    tmp_path: Path, epochs: tuple[str, ...], preferred: str
) -> None:
    for epoch in epochs:
        back = epoch.replace("AB", "BA").replace("A2B", "B2A")
        write_networks(tmp_path, {"G_A": f"{epoch}.pth", "G_B": f"{back}.pth"})
    assert load_quartet(tmp_path).files["G_A"].stem == preferred
    for epoch in epochs:
        assert load_quartet(tmp_path / f"{epoch}.pth").files["G_A"].stem == epoch
        assert load_quartet(tmp_path / f"{epoch}.pth").missing() == ("D_A", "D_B")


def test_capital_letters_make_no_difference(tmp_path: Path) -> None:
    for name, network in make_networks().items():
        torch.save(network.state_dict(), tmp_path / f"LATEST_NET_{name}.PTH")
    assert load_quartet(tmp_path).missing() == ()
    assert load_quartet(tmp_path / "LATEST_NET_G_B.PTH").missing() == ()


def test_what_is_missing_is_looked_for_under_the_schools_own_names(tmp_path: Path) -> None:
    write_networks(tmp_path, {"G_A": "gen_AB_9.pth", "G_B": "gen_BA_9.pth", "D_A": "disc_B_9.pth"})
    sought: Mapping[NetName, Path] = load_quartet(tmp_path).looked_for
    assert sought["D_B"] == tmp_path / "disc_A_9.pth"


def test_two_names_that_could_be_one_network_are_told(tmp_path: Path) -> None:
    write_networks(tmp_path, {"G_A": "G_AB.pth", "G_B": "G_A2B.pth"})
    quartet = load_quartet(tmp_path)
    assert "G_A2B.pth and G_AB.pth could be G_A; give the one to read" in quartet.notes[0]
    assert load_quartet(tmp_path / "G_AB.pth").files["G_A"].name == "G_AB.pth"


def test_a_training_in_one_file_is_read_whatever_network_the_file_is_named_after(tmp_path: Path) -> None:
    networks = make_networks()
    torch.save({name: net.state_dict() for name, net in networks.items()}, tmp_path / "generator.pth")
    for given in (tmp_path, tmp_path / "generator.pth"):
        for name in NET_NAMES:
            assert_same(getattr(load_quartet(given), name), networks[name])


def test_a_network_beside_its_optimizer_in_a_file_of_its_own_is_read(tmp_path: Path) -> None:
    for name, file in files_of("gen_AB", "{}.pth.tar").items():
        held = {"net": make_networks()[name].state_dict(), "opt": {"state": {}}, "epoch": 3}
        torch.save(held, tmp_path / file)
    for name, network in make_networks().items():
        assert_same(getattr(load_quartet(tmp_path), name), network)


PREFIXES = ("gen_A.", "genX.", "G_XtoY.", "generator_g.", "nets.gen_ab.", "model.", "model.netG.module.")


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_prefix_before_every_name_is_found_by_its_structure(tmp_path: Path, prefix: str) -> None:
    state = {prefix + name: tensor for name, tensor in make_generator(1).state_dict().items()}
    for held in (state, {"state_dict": state, "epoch": 3}):
        torch.save(held, tmp_path / "last.ckpt")
        assert_same(load_quartet(tmp_path / "last.ckpt").G_A, make_generator(1))


@pytest.mark.parametrize(
    "names",
    [("gen_ab", "gen_ba", "dis_b", "dis_a"), ("G_XtoY", "G_YtoX", "D_Y", "D_X"),
     ("generator_g", "generator_f", "discriminator_y", "discriminator_x")],
)  # fmt: skip
@pytest.mark.parametrize("before", ["", "nets.", "model.", "module.nets."])
def test_prefixes_of_four_networks_are_told_apart(
    tmp_path: Path, names: tuple[str, ...], before: str
) -> None:
    networks = make_networks()
    flat = {
        f"{before}{theirs}.{name}": tensor
        for theirs, network in zip(names, networks.values(), strict=True)
        for name, tensor in network.state_dict().items()
    }
    torch.save({"state_dict": flat | {f"{before}vgg.weight": torch.ones(2)}}, tmp_path / "last.ckpt")
    for name, network in networks.items():
        assert_same(getattr(load_quartet(tmp_path), name), network)


@pytest.mark.parametrize("family", ["aladdinpersson", "deeplearning.ai", "UPIT", "pix2pix"])
def test_prefixes_of_four_networks_of_any_family_are_told_apart(tmp_path: Path, family: str) -> None:
    generator, judge = schools.GENERATORS[family][0], schools.DISCRIMINATORS[family]
    made = {"gen_A2B": generator, "gen_B2A": generator, "disc_B": judge, "disc_A": judge}
    networks = {name: schools.trained(make, seed) for seed, (name, make) in enumerate(made.items())}
    flat = {
        f"model.{name}.{key}": tensor
        for name, network in networks.items()
        for key, tensor in network.state_dict().items()
    }
    torch.save({"state_dict": flat | {"vgg.0.weight": torch.ones(2)}}, tmp_path / "last.ckpt")
    quartet = load_quartet(tmp_path / "last.ckpt")
    for ours, (theirs, network) in zip(NET_NAMES, networks.items(), strict=True):
        read = getattr(quartet, ours).state_dict()
        assert next(iter(read.values())).equal(next(iter(network.state_dict().values()))), theirs


def test_the_only_generator_of_a_file_needs_no_known_name(tmp_path: Path) -> None:
    states = {"painter": make_generator(1).state_dict(), "critic": make_discriminator(3).state_dict()}
    flat = {f"{name}.{key}": tensor for name, state in states.items() for key, tensor in state.items()}
    for held in (states | {"epoch": 3}, flat):
        torch.save(held, tmp_path / "all.pth")
        quartet = load_quartet(tmp_path / "all.pth")
        assert_same(quartet.G_A, make_generator(1))
        assert quartet.notes[-1] == "all.pth holds one generator alone (painter), taken as G_A"


def test_generators_whose_names_do_not_say_which_way_are_named_and_never_called_incomplete(
    tmp_path: Path,
) -> None:
    states = {"genX": make_generator(1).state_dict(), "genY": make_generator(2).state_dict()}
    flat = {f"{name}.{key}": tensor for name, state in states.items() for key, tensor in state.items()}
    for held in (states, flat):
        torch.save(held, tmp_path / "all.pth")
        with pytest.raises(
            CheckpointError, match="several generators, 'genX' and 'genY', whose names do not"
        ):
            load_quartet(tmp_path / "all.pth")


@pytest.mark.parametrize(
    "names", [("gen_m2p", "gen_p2m"), ("G_h2z", "G_z2h"), ("netG_S2T", "netG_T2S"), ("G_AB10", "G_BA10")]
)
def test_a_folder_of_generators_whose_names_do_not_say_which_way_is_refused_and_each_file_read(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    networks = write_networks(tmp_path, {"G_A": f"{names[0]}.pth", "G_B": f"{names[1]}.pth"})
    with pytest.raises(
        CheckpointError, match=rf"{names[0]}\.pth, {names[1]}\.pth; give one .* netG_A2B\.pth"
    ):
        load_quartet(tmp_path)
    for name, ours in zip(names, ("G_A", "G_B"), strict=True):
        assert_same(load_quartet(tmp_path / f"{name}.pth").G_A, networks[ours])


def test_of_a_lone_generators_files_the_last_is_read(tmp_path: Path) -> None:
    networks = write_networks(tmp_path, {"G_A": "best_G.pth", "G_B": "last_G.pth"})
    assert_same(load_quartet(tmp_path).G_A, networks["G_B"])


def test_cuts_sampler_is_no_generator_where_its_discriminator_is_not_there(tmp_path: Path) -> None:
    networks = write_networks(tmp_path, {"G_A": "latest_net_G.pth"})
    torch.save({"mlp_0.0.weight": torch.ones(2, 2)}, tmp_path / "latest_net_F.pth")
    assert_same(load_quartet(tmp_path).G_A, networks["G_A"])


def test_a_lone_generators_discriminator_is_read_beside_it(tmp_path: Path) -> None:
    networks = write_networks(tmp_path, {"G_A": "latest_net_G.pth", "D_A": "latest_net_D.pth"})
    torch.save({"mlp_0.0.weight": torch.ones(2, 2)}, tmp_path / "latest_net_F.pth")  # CUT's sampler
    quartet = load_quartet(tmp_path)
    assert_same(quartet.D_A, networks["D_A"])
    assert quartet.missing() == ("G_B", "D_B")
    assert quartet.notes == (
        "latest_net_G.pth is one generator, taken as G_A; latest_net_D.pth judges what it makes",
    )


def test_a_discriminator_that_cannot_be_read_is_no_obstacle_to_its_generator(tmp_path: Path) -> None:
    write_networks(tmp_path, {"G_A": "latest_net_G.pth"})
    torch.save({"model.3.filt": torch.ones(1)}, tmp_path / "latest_net_D.pth")
    quartet = load_quartet(tmp_path)
    assert quartet.missing() == ("G_B", "D_A", "D_B")
    assert "D_A is left aside: " in quartet.notes[0]
    state = schools.trained(schools.patchgan).state_dict()
    for damaged in (
        {name: tensor for name, tensor in state.items() if name != "model.5.weight"},
        {**state, "model.0.weight": torch.ones(4, 3, 3, 3)},
        {**state, "model.12.weight": torch.ones(1, 36)},
    ):
        torch.save(damaged, tmp_path / "latest_net_D.pth")
        quartet = load_quartet(tmp_path)
        assert quartet.missing() == ("G_B", "D_A", "D_B")
        assert "--discriminator FILE.py:FACTORY" in quartet.notes[0]
    other = seeded(lambda: Discriminator(DiscriminatorWidths((2, 3), in_channels=5)), 1)
    torch.save(other.state_dict(), tmp_path / "latest_net_D.pth")
    assert load_quartet(tmp_path).notes[0] == (
        "latest_net_D.pth is left aside: it judges pictures of 5 channels, the generator makes 3"
    )


def test_discriminators_alone_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    for name in ("latest_net_D_A.pth", "latest_net_D_B.pth"):
        torch.save(
            {"model.0.weight": torch.ones(4, 3, 3, 3), "model.2.gamma": torch.ones(1)}, tmp_path / name
        )
    for given in (tmp_path, tmp_path / "latest_net_D_B.pth"):
        with pytest.raises(CheckpointError, match=r"latest_net_D_A\.pth: .*--discriminator FILE\.py:FACTORY"):
            load_quartet(given)


def test_a_discriminator_that_sees_input_and_output_is_read_beside_its_generator(tmp_path: Path) -> None:
    write_networks(tmp_path, {"G_A": "latest_net_G.pth"})
    pix2pix = seeded(lambda: Discriminator(DiscriminatorWidths((2, 3), in_channels=6)), 1)
    torch.save(pix2pix.state_dict(), tmp_path / "latest_net_D.pth")
    quartet = load_quartet(tmp_path)
    assert_same(quartet.D_A, pix2pix)
    assert quartet.in_pairs
    assert quartet.notes[0].endswith("taken as G_A; latest_net_D.pth judges what it makes beside its input")


def test_a_public_generator_is_found_in_its_folder(real_data: Path) -> None:
    located = locate(real_data / "teachers/modern2vintage")
    assert {name: path.name for name, path in located.files.items()} == {"G_A": "G_A2B_epoch33.pth"}
