"""All settings, each written once; importing them takes no PyTorch.

fields.py     what a field of a dataclass says: option, key, JSON Schema, check
words.py      names and limits that settings are made of
search.py     the search
training.py   how a CycleGAN is trained, and how the originals teach
budget.py     how long
compress.py   all settings of a compression, and their flat form
"""

from ganprune.settings.compress import (
    KEYS,
    CompressSettings,
    ComputeSettings,
    FineTuneSettings,
    PictureSettings,
    read_config,
    schema,
    typed,
)

__all__ = [
    "KEYS", "CompressSettings", "ComputeSettings", "FineTuneSettings", "PictureSettings", "read_config",
    "schema", "typed",
]  # fmt: skip
