"""aitorzip/PyTorch-CycleGAN and the paper's own code: ``netG_A2B.pth`` and its siblings.

Here a discriminator has the name of the domain it judges (``train.py``: ``netD_B(fake_B)``), in
CycleGAN that of the generator it teaches. So netD_B is D_A, and netD_A is D_B.
"""

from ganprune.checkpoints.layouts.naming import Naming

A2B = Naming("A2B", {"G_A": "netG_A2B", "G_B": "netG_B2A", "D_A": "netD_B", "D_B": "netD_A"})
