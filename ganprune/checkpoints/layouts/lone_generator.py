"""CycleGAN's downloaded models: ``latest_net_G.pth``, one generator and nothing else.

It is taken as G_A. Which way it translates is not in the file.
"""

from ganprune.checkpoints.layouts.naming import Naming

LONE_GENERATOR = Naming("a lone generator", {"G_A": "{epoch}_net_G"})
