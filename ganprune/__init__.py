"""Makes trained CycleGAN generators small and fast.

    from pathlib import Path
    from ganprune import Layout, load_quartet, rebuilt

    G = load_quartet(Path("checkpoints/horse2zebra")).G_A
    layout = Layout.of(G)
    slim = rebuilt(G, layout, genome)      # a physically smaller Generator

The names below are imported when they are first used, so that ``import ganprune`` is instant.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganprune.checkpoints import Quartet, load_generator, load_quartet, save_generator
    from ganprune.coevolution import CoEvolution, State
    from ganprune.errors import GanpruneError
    from ganprune.evaluation import EvaluationSettings, Evaluator, LocalEvaluator
    from ganprune.genome import Layout
    from ganprune.networks import Discriminator, Generator, GeneratorWidths, resnet_widths
    from ganprune.rebuild import masked, rebuilt
    from ganprune.resources import kept_macs, kept_weights
    from ganprune.search_settings import SearchSettings
    from ganprune.settings import CompressSettings

_HOME = {
    "CoEvolution": "coevolution",
    "CompressSettings": "settings",
    "Discriminator": "networks",
    "EvaluationSettings": "evaluation",
    "Evaluator": "evaluation",
    "GanpruneError": "errors",
    "Generator": "networks",
    "GeneratorWidths": "networks",
    "Layout": "genome",
    "LocalEvaluator": "evaluation",
    "Quartet": "checkpoints",
    "SearchSettings": "search_settings",
    "State": "coevolution",
    "kept_macs": "resources",
    "kept_weights": "resources",
    "load_generator": "checkpoints",
    "load_quartet": "checkpoints",
    "masked": "rebuild",
    "rebuilt": "rebuild",
    "resnet_widths": "networks",
    "save_generator": "checkpoints",
}

__all__ = [
    "CoEvolution",
    "CompressSettings",
    "Discriminator",
    "EvaluationSettings",
    "Evaluator",
    "GanpruneError",
    "Generator",
    "GeneratorWidths",
    "Layout",
    "LocalEvaluator",
    "Quartet",
    "SearchSettings",
    "State",
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
