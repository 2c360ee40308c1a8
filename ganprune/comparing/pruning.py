"""The stage that a rival has in place of search and rebuild: filters chosen by its own method."""

import copy
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from ganprune.baselines import Method, Subject
from ganprune.checkpoints import load_generator
from ganprune.images import to_float
from ganprune.pruning.repair import Repairer
from ganprune.search.coevolution import random_stream
from ganprune.settings.words import Domain
from ganprune.stages import Job, layouts
from ganprune.stages.cutting import save_pruned
from ganprune.system.device import cpu_threads


def prune(job: Job, name: str, choose: Method) -> dict[Domain, nn.Module]:
    """Slim generators by a rival, such as those of `ganprune.baselines`, in float32, not fine-tuned.

    It looks at the pictures that a search would score on. Writes what `ganprune.stages.rebuild_both` writes:
    pruned_G_A.safetensors and pruned_G_B.safetensors.
    """
    run, search, device = job.run, job.settings.search, job.resolved.device
    paths: dict[Domain, Path] = {side: run / f"pruned_G_{side}.safetensors" for side in search.sides}
    if run.finished("rebuild"):
        return {side: load_generator(path, job.own) for side, path in paths.items()}
    started, slim = time.monotonic(), dict[Domain, nn.Module]()
    both = layouts(job.originals, job.settings)
    with cpu_threads(job.resolved.threads), job.reporter.task(name, len(both)) as task:
        for side, layout in both.items():
            original = copy.deepcopy(job.originals[side])
            subject = Subject(
                original.to(device).requires_grad_(False).eval(), layout,
                to_float(job.pictures[side]).to(device),
                Repairer(layout, replace(search.constraints(side), remove_blocks=False)),
                random_stream(search.seed, 0, side),
            )  # fmt: skip
            pruned = choose(subject)
            network = pruned.network.to("cpu", torch.float32)
            assert isinstance(network, nn.Module)
            slim[side] = network
            save_pruned(job, side, network, layout.kept(pruned.genome))
            task.advance()
    run.finish("rebuild", paths.values(), time.monotonic() - started, method=name)
    return slim
