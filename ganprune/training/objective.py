"""CycleGAN's objective, term by term.

Source: Zhu et al., ICCV 2017, equations 1-3 and section 5.2 (identity); names and weights as in
pytorch-CycleGAN-and-pix2pix, ``models/cycle_gan_model.py``. D_A judges domain B, D_B judges A.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, l1_loss, mse_loss

from ganprune.models.traits import discriminator_input
from ganprune.training.networks import Networks
from ganprune.training.settings import GanMode, TrainSettings


@dataclass(frozen=True, slots=True)
class TranslatedBatch:
    """What both generators make of one batch of each domain: float32 [n, c, h, w] in [-1, 1]."""

    real_A: Tensor
    real_B: Tensor
    fake_B: Tensor
    """G_A(A)."""
    fake_A: Tensor
    """G_B(B)."""
    rec_A: Tensor | None = None
    """G_B(G_A(A)); None where no generator learns."""
    rec_B: Tensor | None = None
    """G_A(G_B(B))."""
    idt_A: Tensor | None = None
    """G_A(B), which should be B; None where G_A does not learn, the identity loss has no weight,
    or pictures of A and of B have different numbers of channels."""
    idt_B: Tensor | None = None
    """G_B(A), which should be A."""


def translate(networks: Networks, real_A: Tensor, real_B: Tensor, settings: TrainSettings) -> TranslatedBatch:
    """Run both generators as far as the losses of the networks that learn need it."""
    G_A, G_B, learn = networks.G_A, networks.G_B, settings.trained
    fake_B, fake_A = G_A(real_A).float(), G_B(real_B).float()
    rec_A = rec_B = None
    if "G_A" in learn or "G_B" in learn:
        rec_A, rec_B = G_B(fake_B).float(), G_A(fake_A).float()
    identity = settings.lambda_identity > 0 and real_A.shape[1] == real_B.shape[1]
    idt_A = G_A(real_B).float() if identity and "G_A" in learn else None
    idt_B = G_B(real_A).float() if identity and "G_B" in learn else None
    return TranslatedBatch(real_A, real_B, fake_B, fake_A, rec_A, rec_B, idt_A, idt_B)


def gan_loss(judged: Tensor, real: bool, mode: GanMode) -> Tensor:
    """How far D's patch map [n, 1, h', w'] is from calling everything real, or everything fake: a scalar."""
    target = torch.full_like(judged, float(real), dtype=torch.float32)
    if mode == "lsgan":
        return mse_loss(judged.float(), target)
    return binary_cross_entropy_with_logits(judged.float(), target)


def generator_losses(networks: Networks, y: TranslatedBatch, settings: TrainSettings) -> dict[str, Tensor]:
    """The weighted terms that the generators lessen together, by CycleGAN's names: scalars.

    Without those that no generator that learns can change; empty where none learns.
    """
    s, terms = settings, dict[str, Tensor]()
    if "G_A" in s.trained:
        terms["G_A"] = gan_loss(networks.D_A(y.fake_B), True, s.gan_mode)
    if "G_B" in s.trained:
        terms["G_B"] = gan_loss(networks.D_B(y.fake_A), True, s.gan_mode)
    if y.rec_A is not None and y.rec_B is not None:
        terms["cycle_A"] = s.lambda_A * l1_loss(y.rec_A, y.real_A)
        terms["cycle_B"] = s.lambda_B * l1_loss(y.rec_B, y.real_B)
    if y.idt_A is not None:
        terms["idt_A"] = s.lambda_identity * s.lambda_B * l1_loss(y.idt_A, y.real_B)
    if y.idt_B is not None:
        terms["idt_B"] = s.lambda_identity * s.lambda_A * l1_loss(y.idt_B, y.real_A)
    return terms


def paired_losses(
    networks: Networks, real_A: Tensor, real_B: Tensor, settings: TrainSettings
) -> tuple[tuple[Tensor, Tensor], dict[str, Tensor]]:
    """Translations to A and to B, and the weighted terms of the generators that learn, by pix2pix's recipe.

    Where no generator translates to a domain, its own pictures stand there. Source: Isola et al., CVPR 2017,
    equations 1, 3 and 4; names as in ``models/pix2pix_model.py`` of pytorch-CycleGAN-and-pix2pix.
    """
    fakes, terms = [real_A, real_B], dict[str, Tensor]()
    for name, G, D, x, y, to in (
        ("A", networks.G_A, networks.D_A, real_A, real_B, 1),
        ("B", networks.G_B, networks.D_B, real_B, real_A, 0),
    ):
        if f"G_{name}" not in settings.trained:
            continue
        fake = G(x).float()
        terms[f"G_{name}"] = gan_loss(D(discriminator_input(D, x, fake)), True, settings.gan_mode)
        terms[f"L1_{name}"] = settings.lambda_L1 * l1_loss(fake, y)
        fakes[to] = fake.detach()
    return (fakes[0], fakes[1]), terms


def discriminator_loss(judged_real: Tensor, judged_fake: Tensor, mode: GanMode) -> Tensor:
    """What one discriminator lessens, from its patch maps of real pictures and of translations."""
    return 0.5 * (gan_loss(judged_real, True, mode) + gan_loss(judged_fake, False, mode))
