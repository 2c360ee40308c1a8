"""pytorch-CycleGAN-and-pix2pix: ``checkpoints/<name>/<epoch>_net_<NET>.pth``.

The epoch is ``latest``, a number or ``iter_<n>``. D_A judges domain B: it tells real pictures of B
from what G_A makes (``cycle_gan_model.py``, ``backward_D_A``).
"""

from ganprune.checkpoints.layouts.naming import NET_NAMES, Naming

CYCLEGAN = Naming("CycleGAN", {name: f"{{epoch}}_net_{name}" for name in NET_NAMES})
