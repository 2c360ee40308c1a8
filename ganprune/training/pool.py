"""Earlier translations, so that a discriminator does not forget what generators did before.

Source: Shrivastava et al., "Learning from Simulated and Unsupervised Images through Adversarial
Training", CVPR 2017, section 2.3; as in CycleGAN's ``util/image_pool.py``.
"""

import torch
from torch import Tensor


class ImagePool:
    """Up to ``size`` pictures, each [c, h, w]."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.pictures: list[Tensor] = []

    def query(self, fakes: Tensor, generator: torch.Generator) -> Tensor:
        """Hand in new translations [n, c, h, w], get as many to judge.

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
