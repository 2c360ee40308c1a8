"""Makes trained CycleGAN generators small and fast.

    import ganprune

    run = ganprune.compress("checkpoints/horse2zebra", "datasets/horse2zebra")
    run.slim["A"]           # a physically smaller generator
    run.files["G_A"]        # the same as a verified ONNX file

The names below are imported when they are first used, so that ``import ganprune`` is instant.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganprune.checkpoints import Quartet, load_generator, load_quartet, save_generator
    from ganprune.compression import Compressed, compress
    from ganprune.errors import GanpruneError
    from ganprune.models.cyclegan import Discriminator, Generator, GeneratorWidths, resnet_widths
    from ganprune.pruning.genome import Layout
    from ganprune.pruning.rebuild import masked, rebuilt
    from ganprune.pruning.resources import kept_macs, kept_weights
    from ganprune.scoring import LocalScorer, Scorer, ScoringInputs, ScoringSettings
    from ganprune.search.coevolution import CoEvolution, State
    from ganprune.settings import CompressSettings
    from ganprune.settings.search import SearchSettings

_HOME = {
    "CoEvolution": "search.coevolution",
    "CompressSettings": "settings",
    "Compressed": "compression",
    "Discriminator": "models.cyclegan",
    "GanpruneError": "errors",
    "Generator": "models.cyclegan",
    "GeneratorWidths": "models.cyclegan",
    "Layout": "pruning.genome",
    "LocalScorer": "scoring",
    "Quartet": "checkpoints",
    "Scorer": "scoring",
    "ScoringInputs": "scoring",
    "ScoringSettings": "scoring",
    "SearchSettings": "settings.search",
    "State": "search.coevolution",
    "compress": "compression",
    "kept_macs": "pruning.resources",
    "kept_weights": "pruning.resources",
    "load_generator": "checkpoints",
    "load_quartet": "checkpoints",
    "masked": "pruning.rebuild",
    "rebuilt": "pruning.rebuild",
    "resnet_widths": "models.cyclegan",
    "save_generator": "checkpoints",
}

__all__ = [
    "CoEvolution",
    "CompressSettings",
    "Compressed",
    "Discriminator",
    "GanpruneError",
    "Generator",
    "GeneratorWidths",
    "Layout",
    "LocalScorer",
    "Quartet",
    "Scorer",
    "ScoringInputs",
    "ScoringSettings",
    "SearchSettings",
    "State",
    "compress",
    "kept_macs",
    "kept_weights",
    "load_generator",
    "load_quartet",
    "masked",
    "rebuilt",
    "resnet_widths",
    "save_generator",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'ganprune' has no attribute {name!r}")
    return getattr(import_module(f"ganprune.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
