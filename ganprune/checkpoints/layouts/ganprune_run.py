"""A run folder of ganprune: the slim generators ``G_A.safetensors`` and ``G_B.safetensors``."""

from ganprune.checkpoints.layouts.naming import Naming

GANPRUNE_RUN = Naming("ganprune run", {"G_A": "G_A", "G_B": "G_B"}, (".safetensors",))
