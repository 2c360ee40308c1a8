"""Norms and dropout: CycleGAN's own networks compute the same after they were read."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor, nn

from ganprune.checkpoints import (
    discriminator_from_tensors,
    generator_from_tensors,
    load_generator,
    load_quartet,
    read_metadata,
    read_tensors,
    save_cyclegan_pth,
    save_generator,
)
from ganprune.checkpoints.standalone import load_generator as load_standalone
from ganprune.errors import CheckpointError
from ganprune.models.cyclegan import NORMS, DiscriminatorWidths, GeneratorWidths, Norm, resnet_widths
from ganprune.pruning.genome import Layout
from ganprune.pruning.rebuild import masked, rebuilt
from tests.checkpoints import reference
from tests.checkpoints.builders import (
    CYCLEGAN_NAMES,
    FILTERS,
    assert_same,
    learned,
    make_discriminator,
    make_generator,
    seeded,
    with_relics,
)
from tests.strategies import generator_widths
from tests.tiny import random_genomes

Tensors = dict[str, Tensor]


def pictures(n: int = 2, size: int = 32) -> Tensor:
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(9)) * 2 - 1


def saved_and_loaded(network: nn.Module, file: Path) -> Tensors:
    torch.save(network.state_dict(), file)
    return torch.load(file, weights_only=True)


@pytest.mark.parametrize("dropout", [False, True])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("blocks", [0, 2, 6, 9])
def test_cyclegans_own_generator_computes_the_same_once_read(
    tmp_path: Path, norm: Norm, dropout: bool, blocks: int
) -> None:
    theirs = seeded(lambda: learned(reference.resnet(2, blocks, norm, dropout)), 5).eval()
    ours = generator_from_tensors(saved_and_loaded(theirs, tmp_path / "G.pth"))
    assert (ours.norm, ours.widths) == (norm, resnet_widths(2, blocks))
    torch.testing.assert_close(ours(pictures()), theirs(pictures()), atol=1e-5, rtol=0)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("layers", [1, 3, 5])
def test_cyclegans_own_discriminator_computes_the_same_once_read(
    tmp_path: Path, norm: Norm, layers: int
) -> None:
    theirs = seeded(lambda: learned(reference.patchgan(2, layers, norm)), 5).eval()
    ours = discriminator_from_tensors(saved_and_loaded(theirs, tmp_path / "D.pth"))
    assert ours.norm == norm
    torch.testing.assert_close(ours(pictures(size=128)), theirs(pictures(size=128)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("norm", NORMS)
def test_a_cyclegan_of_any_norm_is_read_from_its_folder(tmp_path: Path, norm: Norm) -> None:
    networks = {name: make_generator(1, norm=norm) for name in ("G_A", "G_B")}
    judges = {name: make_discriminator(2, norm=norm) for name in ("D_A", "D_B")}
    for name, network in (networks | judges).items():
        torch.save(network.state_dict(), tmp_path / CYCLEGAN_NAMES[name])
    quartet = load_quartet(tmp_path)
    for name, network in (networks | judges).items():
        assert_same(getattr(quartet, name), network)
    assert bool(quartet.notes) == (norm in ("batch", "none"))


def test_a_file_without_norms_is_said_to_be_open_unless_its_options_say_none(tmp_path: Path) -> None:
    theirs = seeded(lambda: reference.resnet(2, 3, "none", dropout=False), 1)
    for name in ("latest_net_G_A.pth", "latest_net_G_B.pth"):
        torch.save(theirs.state_dict(), tmp_path / name)
    (note,) = load_quartet(tmp_path).notes
    assert note.startswith("latest_net_G_A.pth, latest_net_G_B.pth: neither norms nor biases of hidden")
    assert "instance norm behind convolutions without biases" in note
    assert "--generator FILE.py:FACTORY" in note
    (tmp_path / "train_opt.txt").write_text("norm: none\n")
    assert load_quartet(tmp_path).notes == ()


def test_batch_norm_is_told_what_cyclegans_test_does_without_eval(tmp_path: Path) -> None:
    torch.save(make_generator(1, norm="batch").state_dict(), tmp_path / "latest_net_G_A.pth")
    assert load_quartet(tmp_path).notes == (
        "batch norm in latest_net_G_A.pth: its running statistics are used, as CycleGAN's test.py does with "
        "--eval and not without; `compress`, `export` and `translate` use each picture's own with "
        "--set picture-statistics=true",
    )


@pytest.mark.parametrize("norm", NORMS)
def test_dropout_is_left_out_and_told_in_one_note(tmp_path: Path, norm: Norm) -> None:
    theirs = seeded(lambda: learned(reference.resnet(2, 3, norm, dropout=True)), 1)
    torch.save(theirs.state_dict(), tmp_path / "latest_net_G_A.pth")
    torch.save(make_generator(1, norm=norm).state_dict(), tmp_path / "latest_net_G_B.pth")
    quartet = load_quartet(tmp_path)
    assert quartet.notes[0] == (
        "dropout in the residual blocks of latest_net_G_A.pth does nothing when pictures are translated; "
        "CycleGAN's own code needs --no_dropout for what ganprune writes"
    )
    assert len(quartet.notes) == (2 if norm in ("batch", "none") else 1)
    assert quartet.G_A is not None
    rebuilt = seeded(lambda: reference.resnet(2, 3, norm, dropout=False), 2).eval()
    rebuilt.load_state_dict(quartet.G_A.state_dict())  # under --no_dropout, strictly
    torch.testing.assert_close(rebuilt(pictures()), theirs.eval()(pictures()), atol=1e-5, rtol=0)


@pytest.mark.parametrize("dropout", [False, True])
@pytest.mark.parametrize("norm", NORMS)
def test_blocks_of_another_name_are_read_and_written_under_that_name(
    tmp_path: Path, norm: Norm, dropout: bool
) -> None:
    theirs = seeded(lambda: learned(reference.resnet(2, 3, norm, dropout)), 1).eval()
    tensors = {name.replace("conv_block", "block"): tensor for name, tensor in theirs.state_dict().items()}
    ours = generator_from_tensors(tensors)
    torch.testing.assert_close(ours(pictures()), theirs(pictures()), atol=1e-5, rtol=0)
    layout = Layout.of(ours)
    slim = rebuilt(ours, layout, random_genomes(layout, 1)[0])
    save_cyclegan_pth(tmp_path / "G.pth", slim)
    save_generator(tmp_path / "G.safetensors", slim, {})
    for file in (tmp_path / "G.pth", tmp_path / "G.safetensors"):
        names = read_tensors(file)
        assert any(name.startswith("model.10.block.1.") for name in names)
        assert not any(".conv_block." in name for name in names)
        assert_same(load_generator(file), slim)
    alone = load_standalone(tmp_path / "G.pth")
    assert alone.state_dict().keys() == torch.load(tmp_path / "G.pth").keys()
    assert torch.equal(alone(pictures()), slim(pictures()))


def test_blocks_of_two_names_are_refused() -> None:
    tensors = make_generator(1).state_dict()
    mixed = {name.replace("11.conv_block", "11.block"): tensor for name, tensor in tensors.items()}
    with pytest.raises(CheckpointError, match=r"holds 'model\.11\.block\.1\.weight'|lacks model\.11"):
        generator_from_tensors(mixed)


def test_relics_of_dropout_generators_are_dropped_too(tmp_path: Path) -> None:
    theirs = seeded(lambda: reference.resnet(2, 1, "instance", dropout=True), 1).eval()
    relics = {f"model.10.conv_block.{i}.running_mean": torch.zeros(8) for i in (2, 7)}
    ours = generator_from_tensors({**with_relics(theirs.state_dict()), **relics})
    torch.testing.assert_close(ours(pictures()), theirs(pictures()), atol=1e-5, rtol=0)


def test_statistics_belong_to_batch_norm_and_are_relics_of_instance_norm(tmp_path: Path) -> None:
    for norm in ("instance", "batch", "none"):  # with weights and biases before them they could be either's
        tensors = make_generator(1, norm=norm).state_dict()
        torch.save(with_relics(tensors) if norm != "batch" else tensors, tmp_path / "latest_net_G.pth")
        quartet = load_quartet(tmp_path)
        dropped = any("dropped running statistics" in note for note in quartet.notes)
        assert dropped == (norm != "batch")
        assert quartet.G_A is not None
        assert quartet.G_A.norm == norm
        assert ("model.2.running_mean" in quartet.G_A.state_dict()) == (norm == "batch")


def test_batch_norm_of_torch_before_0_4_1_has_no_counts() -> None:
    theirs = make_generator(1, norm="batch")
    old = {name: t for name, t in theirs.state_dict().items() if not name.endswith("num_batches_tracked")}
    ours = generator_from_tensors(old)
    assert torch.equal(ours(pictures()), theirs(pictures()))
    assert int(ours.state_dict()["model.2.num_batches_tracked"]) == 0


def test_half_precision_batch_norm_is_read_as_float32_with_its_counts() -> None:
    tensors = make_generator(1, norm="batch").half().state_dict()
    ours = generator_from_tensors(tensors).state_dict()
    for name, tensor in tensors.items():
        assert torch.equal(ours[name], tensor.float() if tensor.is_floating_point() else tensor), name


@given(widths=generator_widths())
@settings(max_examples=10)
def test_generators_of_any_widths_and_norm_come_back_from_both_kinds_of_file(
    scratch: Path, widths: GeneratorWidths
) -> None:
    for norm in NORMS:
        original = make_generator(3, widths, norm)
        save_cyclegan_pth(scratch / "G.pth", original)
        save_generator(scratch / "G.safetensors", original, {})
        for name in ("G.pth", "G.safetensors"):
            loaded = load_generator(scratch / name)
            assert (loaded.widths, loaded.norm) == (widths, norm)
            assert_same(loaded, original)


@pytest.mark.parametrize("norm", NORMS)
def test_discriminators_are_written_as_cyclegan_does(tmp_path: Path, norm: Norm) -> None:
    original = make_discriminator(1, norm=norm)
    save_cyclegan_pth(tmp_path / "latest_net_D_A.pth", original)
    written = torch.load(tmp_path / "latest_net_D_A.pth", weights_only=True)
    assert type(written) is dict
    assert_same(discriminator_from_tensors(written), original)
    assert_same(load_quartet(tmp_path).D_A, original)


def test_metadata_state_the_norm_and_are_held_against_the_tensors(tmp_path: Path) -> None:
    file = tmp_path / "G.safetensors"
    for norm in NORMS:
        save_generator(file, make_generator(1, norm=norm), {})
        assert read_metadata(file)["norm"] == norm
    lying = file.read_bytes().replace(b'"norm":"none"', b'"norm":"both"')
    file.write_bytes(lying)
    with pytest.raises(
        CheckpointError, match="its metadata speak of norm both, its tensors are of norm none"
    ):
        load_generator(file)


def _changed(name: str, change: Callable[[Tensor], Tensor]) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {**tensors, name: change(tensors[name])}


def _without(*names: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {name: t for name, t in tensors.items() if not name.endswith(names)}


BROKEN: dict[str, tuple[Callable[[Tensors], Tensors], type[CheckpointError], str]] = {
    "negative variance": (
        _changed("model.3.running_var", lambda t: t - 10),
        CheckpointError,
        r"model\.3\.running_var holds negative variances; the file is damaged",
    ),
    "NaN": (
        _changed("model.3.running_var", lambda t: t / 0 * 0),
        CheckpointError,
        r"model\.3\.running_var holds NaN or infinite values",
    ),
    "shape": (
        _changed("model.3.running_mean", lambda t: t.repeat(2)),
        CheckpointError,
        r"model\.3\.running_mean has shape \d+, but the maps .* those of model\.2\.weight",
    ),
    "lacking": (_without("model.3.running_mean"), CheckpointError, r"lacks model\.3\.running_mean"),
    "a whole norm lacking": (
        lambda tensors: {name: t for name, t in tensors.items() if not name.startswith("model.3.")},
        CheckpointError,
        r"^has no norm at model\.3, .* tensors, 'model\.0\.weight' \(.*\), …; .*; tried: PatchGANs",
    ),
    "weights of one norm lacking": (_without("model.3.weight"), CheckpointError, r"lacks model\.3\.weight"),
    "integers": (
        _changed("model.3.running_mean", lambda t: t.int()),
        CheckpointError,
        r"model\.3\.running_mean is int32, not floating point",
    ),
}
"""Of a discriminator; its first norm is model.3."""


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_batch_norm_is_refused_by_name(case: str) -> None:
    breaking, error, message = BROKEN[case]
    widths = DiscriminatorWidths((*FILTERS.filters, 5))
    tensors = make_discriminator(1, widths, norm="batch").state_dict()
    with pytest.raises(error, match=message):
        discriminator_from_tensors(breaking(tensors))


def test_a_public_generator_of_affine_instance_norm_is_halved_and_written_for_its_own_code(
    tmp_path: Path, real_data: Path
) -> None:
    G = load_generator(real_data / "teachers/modern2vintage/G_A2B_epoch33.pth")
    layout = Layout.of(G)
    genome = random_genomes(layout, 1, keep=0.7)[0]
    slim = rebuilt(G, layout, genome)
    x = pictures(1, 64)
    torch.testing.assert_close(slim(x), masked(G, layout, genome)(x), atol=1e-5, rtol=0)
    save_cyclegan_pth(tmp_path / "G.pth", slim)
    alone = load_standalone(tmp_path / "G.pth")
    assert "model.10.block.1.weight" in alone.state_dict()
    assert torch.equal(alone(x), slim(x))
