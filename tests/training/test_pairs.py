"""pix2pix's recipe: what it lessens, and which pictures it is shown."""

from pathlib import Path

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from ganprune.checkpoints import Quartet
from ganprune.images import TrainTransform
from ganprune.models import read_discriminator
from ganprune.models.cyclegan import Discriminator, DiscriminatorWidths, Generator, resnet_widths
from ganprune.models.traits import discriminator_input, sees_both
from ganprune.training import Networks, Trainer, TrainingPictures, TrainSettings, TrainState
from tests.images.pictures import domains
from tests.models.schools import DISCRIMINATORS, trained
from tests.tiny import fill, random_pictures, seeded


@pytest.mark.parametrize(("of_x", "of_y"), [(3, 3), (1, 3), (4, 2)])
def test_a_step_lessens_pix2pixs_losses(of_x: int, of_y: int) -> None:
    G = Generator(resnet_widths(4, 1, of_x, of_y))
    D = Discriminator(DiscriminatorWidths((4, 6), in_channels=of_x + of_y))
    fill(G, 1)
    fill(D, 2)
    settings = TrainSettings(paired=True, pool_size=0, gan_mode="vanilla", trained=("G_A", "D_A"), size=16)
    state = TrainState.start(Networks.known(Quartet(G, None, D, None)), settings)
    x, y = (random_pictures(2, n, 16, 16, seed=n + 4, dtype=torch.float32) for n in (of_x, of_y))
    trainer = Trainer(state, settings)
    losses = trainer.step({"A": x, "B": y}, 0.0, seeded(0))
    fake = G(x).detach()

    def gan(picture: torch.Tensor, target: float) -> float:
        judged = D(torch.cat([x, picture], 1)).detach()
        return float(binary_cross_entropy_with_logits(judged, torch.full_like(judged, target)))

    assert losses["G_A"] == pytest.approx(gan(fake, 1.0), rel=1e-5)
    assert losses["L1_A"] == pytest.approx(100 * float((fake - y).abs().mean()), rel=1e-5)
    assert losses["D_A"] == pytest.approx(0.5 * (gan(y, 1.0) + gan(fake, 0.0)), rel=1e-5)
    assert "cycle_A" not in losses
    before = [p.clone() for p in state.networks.G_A.parameters()]
    trainer.step({"A": x, "B": y}, 1e-3, seeded(1))
    after = list(state.networks.G_A.parameters())
    assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_both_pictures_of_a_pair_are_drawn_together_and_cut_alike(tmp_path: Path) -> None:
    domains(tmp_path, {"A": 5}, 32)
    paths = sorted((tmp_path / "A").iterdir())
    data = TrainingPictures({"A": paths, "B": paths}, TrainTransform(16, 24), paired=True)
    for step in range(6):
        batch = data.batch(3, step, 2, seeded(step))
        assert torch.equal(batch["A"], batch["B"])


@pytest.mark.parametrize(("school", "first"), [("pix2pix", "input"), ("huggan's pix2pix", "output")])
def test_a_discriminator_is_shown_both_pictures_in_the_order_of_its_school(school: str, first: str) -> None:
    D = read_discriminator(trained(DISCRIMINATORS[school]).state_dict())
    assert sees_both(D, Generator(resnet_widths(4, 1)))
    x, y = torch.zeros(1, 3, 4, 4), torch.ones(1, 3, 4, 4)
    assert float(discriminator_input(D, x, y)[0, 0].mean()) == (0 if first == "input" else 1)
    plain = read_discriminator(trained(DISCRIMINATORS["CycleGAN"]).state_dict())
    assert discriminator_input(plain, x, y) is y
