"""CycleGAN's objective, term by term, and the pool of earlier fakes that its discriminators see.

Source: Zhu et al., ICCV 2017, equations 1-3 and section 5.2 (identity); names and weights as in
pytorch-CycleGAN-and-pix2pix, ``models/cycle_gan_model.py``. D_A judges domain B, D_B judges A. The pool:
Shrivastava et al., "Learning from Simulated and Unsupervised Images through Adversarial Training", CVPR 2017,
section 2.3; as in CycleGAN's ``util/image_pool.py``.
"""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, l1_loss, mse_loss

from ganprune.models.traits import discriminator_input
from ganprune.settings.training import TrainSettings
from ganprune.settings.words import GanMode
from ganprune.training.networks import Networks


def gan_loss(patches: Tensor, real: bool, mode: GanMode) -> Tensor:
    """How far D's patch map [n, 1, h', w'] is from calling everything real, or everything fake: a scalar."""
    target = torch.full_like(patches, float(real), dtype=torch.float32)
    if mode == "lsgan":
        return mse_loss(patches.float(), target)
    return binary_cross_entropy_with_logits(patches.float(), target)


def generator_losses(
    networks: Networks, real_A: Tensor, real_B: Tensor, settings: TrainSettings
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """G_A(A), G_B(B), and the weighted terms that the generators lessen together, by CycleGAN's names.

    Pictures are float32 [n, c, h, w] in [-1, 1], terms are scalars. Without those that no generator that
    learns can change; empty where none learns.
    """
    G_A, G_B, s, terms = networks.G_A, networks.G_B, settings, dict[str, Tensor]()
    A_learns, B_learns = "G_A" in s.trained, "G_B" in s.trained
    fake_B, fake_A = G_A(real_A).float(), G_B(real_B).float()
    cycle: list[Tensor] = []
    if A_learns or B_learns:
        cycle = [G_B(fake_B).float(), G_A(fake_A).float()]
    identity = s.lambda_identity > 0 and real_A.shape[1] == real_B.shape[1]  # as many channels
    idt_A = G_A(real_B).float() if identity and A_learns else None
    idt_B = G_B(real_A).float() if identity and B_learns else None
    if A_learns:
        terms["G_A"] = gan_loss(networks.D_A(fake_B), True, s.gan_mode)
    if B_learns:
        terms["G_B"] = gan_loss(networks.D_B(fake_A), True, s.gan_mode)
    if cycle:
        rec_A, rec_B = cycle
        terms["cycle_A"] = s.lambda_A * l1_loss(rec_A, real_A)
        terms["cycle_B"] = s.lambda_B * l1_loss(rec_B, real_B)
    if idt_A is not None:  # G_A(B) should be B
        terms["idt_A"] = s.lambda_identity * s.lambda_B * l1_loss(idt_A, real_B)
    if idt_B is not None:
        terms["idt_B"] = s.lambda_identity * s.lambda_A * l1_loss(idt_B, real_A)
    return fake_B, fake_A, terms


def paired_losses(
    networks: Networks, real_A: Tensor, real_B: Tensor, settings: TrainSettings
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """The same by pix2pix's recipe; where a generator does not learn, the real pictures stand for its fakes.

    Source: Isola et al., CVPR 2017, equations 1, 3 and 4; names as in ``models/pix2pix_model.py`` of
    pytorch-CycleGAN-and-pix2pix.
    """
    fakes, terms = {"A": real_B, "B": real_A}, dict[str, Tensor]()
    for side, G, D, x, y in (
        ("A", networks.G_A, networks.D_A, real_A, real_B),
        ("B", networks.G_B, networks.D_B, real_B, real_A),
    ):
        if f"G_{side}" in settings.trained:
            fake = fakes[side] = G(x).float()
            patches = D(discriminator_input(D, x, fake))
            terms[f"G_{side}"] = gan_loss(patches, True, settings.gan_mode)
            terms[f"L1_{side}"] = settings.lambda_L1 * l1_loss(fake, y)
    return fakes["A"], fakes["B"], terms


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
