"""The stage that a rival has in place of search and rebuild: filters chosen by its own method."""

import copy
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ganprune.baselines import Method, Subject
from ganprune.checkpoints import load_generator, save_generator
from ganprune.coevolution import random_stream
from ganprune.device import cpu_threads
from ganprune.evaluation import Side
from ganprune.images import to_float
from ganprune.networks import Generator
from ganprune.repair import Repairer
from ganprune.reporting import SILENT, Reporter
from ganprune.runs import Run
from ganprune.settings import CompressSettings
from ganprune.stages import Resolved, layouts


def prune(
    run: Run,
    name: str,
    choose: Method,
    generators: Mapping[Side, Generator],
    pictures: Mapping[Side, Tensor],
    settings: CompressSettings,
    resolved: Resolved,
    reporter: Reporter = SILENT,
) -> dict[Side, Generator]:
    """Slim generators by a rival, such as those of `ganprune.baselines`, in float32, not fine-tuned.

    pictures: uint8 [n, 3, h, w] of both domains, those that a search would score on. Writes what
    `ganprune.stages.rebuild_both` writes: pruned_G_A.safetensors and pruned_G_B.safetensors.
    """
    paths: dict[Side, Path] = {side: run / f"pruned_G_{side}.safetensors" for side in settings.search.sides}
    if run.finished("rebuild"):
        return {side: load_generator(path) for side, path in paths.items()}
    started, slim = time.monotonic(), dict[Side, Generator]()
    both = layouts(generators, settings)
    with cpu_threads(resolved.threads), reporter.task(name, len(both)) as task:
        for side, layout in both.items():
            original = copy.deepcopy(generators[side])
            subject = Subject(
                original.to(resolved.device).requires_grad_(False).eval(), layout,
                to_float(pictures[side]).to(resolved.device),
                Repairer(layout, replace(settings.search.constraints(side), width_spread=None)),
                random_stream(settings.search.seed, 0, side),
            )  # fmt: skip
            pruned = choose(subject)
            network = pruned.network.to("cpu", torch.float32)
            assert isinstance(network, Generator)
            slim[side] = network
            kept = {group: index.tolist() for group, index in layout.kept(pruned.genome).items()}
            save_generator(paths[side], slim[side], {"network": f"G_{side}", "kept": json.dumps(kept)})
            task.advance()
    run.finish("rebuild", paths.values(), time.monotonic() - started, method=name)
    return slim
