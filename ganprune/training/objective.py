"""CycleGAN's objective, term by term, and the pool of earlier fakes that its discriminators see.

Source: Zhu et al., ICCV 2017, equations 1-3 and section 5.2 (identity); names and weights as in
pytorch-CycleGAN-and-pix2pix, ``models/cycle_gan_model.py``. D_A judges domain B, D_B judges A. The pool:
Shrivastava et al., "Learning from Simulated and Unsupervised Images through Adversarial Training", CVPR 2017,
section 2.3; as in CycleGAN's ``util/image_pool.py``.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, l1_loss, mse_loss

from ganprune.training.networks import Networks
from ganprune.training.settings import GanMode, TrainSettings


@dataclass(frozen=True, slots=True)
class TranslatedBatch:
    """What both generators make of one batch of each domain: float32 [n, 3, h, w] in [-1, 1]."""

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
    """G_A(B), which should be B; None where G_A does not learn, or the identity loss has no weight."""
    idt_B: Tensor | None = None
    """G_B(A), which should be A."""


def translate(networks: Networks, real_A: Tensor, real_B: Tensor, settings: TrainSettings) -> TranslatedBatch:
    """Run both generators as far as the losses of the networks that learn need it."""
    G_A, G_B, learn = networks.G_A, networks.G_B, settings.trained
    fake_B, fake_A = G_A(real_A).float(), G_B(real_B).float()
    rec_A = rec_B = None
    if "G_A" in learn or "G_B" in learn:
        rec_A, rec_B = G_B(fake_B).float(), G_A(fake_A).float()
    identity = settings.lambda_identity > 0
    idt_A = G_A(real_B).float() if identity and "G_A" in learn else None
    idt_B = G_B(real_A).float() if identity and "G_B" in learn else None
    return TranslatedBatch(real_A, real_B, fake_B, fake_A, rec_A, rec_B, idt_A, idt_B)


def gan_loss(patches: Tensor, real: bool, mode: GanMode) -> Tensor:
    """How far D's patch map [n, 1, h', w'] is from calling everything real, or everything fake: a scalar."""
    target = torch.full_like(patches, float(real), dtype=torch.float32)
    if mode == "lsgan":
        return mse_loss(patches.float(), target)
    return binary_cross_entropy_with_logits(patches.float(), target)


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


def discriminator_loss(of_real: Tensor, of_fake: Tensor, mode: GanMode) -> Tensor:
    """What one discriminator lessens, from its patch maps of real pictures and of fakes."""
    return 0.5 * (gan_loss(of_real, True, mode) + gan_loss(of_fake, False, mode))


class ImagePool:
    """Up to ``size`` earlier fakes, each [c, h, w]: D does not forget what generators did before."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.pictures: list[Tensor] = []

    def query(self, fakes: Tensor, generator: torch.Generator) -> Tensor:
        """Hand in new fakes [n, c, h, w], get as many for a discriminator.

        While the pool is filling up, a picture is stored and given back. Then, with a probability of
        one half each: it is given back; or it takes the place of a stored one, which is given instead.
        """
        if self.size == 0:
            return fakes
        return torch.stack([self._swap(fake, generator) for fake in fakes.detach()])

    def _swap(self, fake: Tensor, generator: torch.Generator) -> Tensor:
        if len(self.pictures) < self.size:
            self.pictures.append(fake.clone())
            return fake
        if float(torch.rand((), generator=generator)) <= 0.5:
            return fake
        place = int(torch.randint(self.size, (), generator=generator))
        stored, self.pictures[place] = self.pictures[place], fake.clone()
        return stored
