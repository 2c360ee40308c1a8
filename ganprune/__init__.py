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
    from ganprune.checkpoints import Quartet as Quartet
    from ganprune.checkpoints import load_generator as load_generator
    from ganprune.checkpoints import load_quartet as load_quartet
    from ganprune.checkpoints import save_generator as save_generator
    from ganprune.compression import Compressed as Compressed
    from ganprune.compression import compress as compress
    from ganprune.errors import GanpruneError as GanpruneError
    from ganprune.models.cyclegan import Discriminator as Discriminator
    from ganprune.models.cyclegan import Generator as Generator
    from ganprune.models.cyclegan import GeneratorWidths as GeneratorWidths
    from ganprune.models.cyclegan import resnet_widths as resnet_widths
    from ganprune.pruning.genome import Layout as Layout
    from ganprune.pruning.rebuild import masked as masked
    from ganprune.pruning.rebuild import rebuilt as rebuilt
    from ganprune.pruning.resources import kept_macs as kept_macs
    from ganprune.pruning.resources import kept_weights as kept_weights
    from ganprune.scoring import LocalScorer as LocalScorer
    from ganprune.scoring import Scorer as Scorer
    from ganprune.scoring import ScoringInputs as ScoringInputs
    from ganprune.scoring import ScoringSettings as ScoringSettings
    from ganprune.search.coevolution import CoEvolution as CoEvolution
    from ganprune.search.coevolution import State as State
    from ganprune.settings import CompressSettings as CompressSettings
    from ganprune.settings.search import SearchSettings as SearchSettings

_NAMES = {
    "checkpoints": ("Quartet", "load_generator", "load_quartet", "save_generator"),
    "compression": ("Compressed", "compress"),
    "errors": ("GanpruneError",),
    "models.cyclegan": ("Discriminator", "Generator", "GeneratorWidths", "resnet_widths"),
    "pruning.genome": ("Layout",),
    "pruning.rebuild": ("masked", "rebuilt"),
    "pruning.resources": ("kept_macs", "kept_weights"),
    "scoring": ("LocalScorer", "Scorer", "ScoringInputs", "ScoringSettings"),
    "search.coevolution": ("CoEvolution", "State"),
    "settings": ("CompressSettings",),
    "settings.search": ("SearchSettings",),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}

__all__ = sorted(_HOME)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'ganprune' has no attribute {name!r}")
    return getattr(import_module(f"ganprune.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
