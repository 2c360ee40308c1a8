"""The best genomes become slim networks, and in the end files for ganprune and for CycleGAN's own code."""

import json
import time
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from ganprune.channels import graph_of
from ganprune.checkpoints import (
    copy_standalone,
    load_generator,
    read_metadata,
    save_cyclegan_pth,
    save_generator,
)
from ganprune.images import to_float
from ganprune.images.sources import Domain
from ganprune.models.cyclegan import Generator
from ganprune.pruning.rebuild import rebuilt, recalibrated
from ganprune.search.coevolution import State
from ganprune.stages.job import Job
from ganprune.stages.searching import STATE, layouts
from ganprune.stages.training import FINE_TUNE


def rebuild_both(job: Job, state: State) -> dict[Domain, nn.Module]:
    """Cut the slim generators out of the originals by the best genomes.

    Of one that does not evolve there is none. Running statistics of batch norm are those of the slim network
    on the search's pictures.

    Writes pruned_G_A.safetensors and pruned_G_B.safetensors, with their kept indices in the metadata.
    """
    run = job.run
    paths: dict[Domain, Path] = {side: run / f"pruned_G_{side}.safetensors" for side in state.populations}
    if run.finished("rebuild", [run / STATE]):
        return {side: load_generator(paths[side], job.own) for side in paths}
    started, slim = time.monotonic(), dict[Domain, nn.Module]()
    for side, layout in layouts(job.originals, job.settings).items():
        genome = state.populations[side].best_genome
        cut = rebuilt(job.originals[side], layout, genome)
        slim[side] = recalibrated(cut, to_float(job.pictures[side]).split(1))
        save_pruned(job, side, slim[side], layout.kept(genome))
    run.finish("rebuild", paths.values(), time.monotonic() - started, [run / STATE])
    return slim


def save_pruned(job: Job, side: Domain, slim: nn.Module, kept: Mapping[str, Tensor]) -> None:
    """Write pruned_G_A.safetensors or pruned_G_B.safetensors. kept: indices of filters, by their groups."""
    indices = {group: index.tolist() for group, index in kept.items()}
    whole = json.dumps(graph_of(job.originals[side]).sizes)
    metadata = {"network": f"G_{side}", "kept": json.dumps(indices), "whole": whole}
    save_generator(job.run / f"pruned_G_{side}.safetensors", slim, metadata)


def write_both(job: Job, slim: Mapping[Domain, nn.Module]) -> None:
    """Write the finished generators, for ganprune and for CycleGAN's own code.

    G_A.safetensors / G_B.safetensors, whose metadata hold widths, kept indices and the hash of the
    original's file; the same tensors as latest_net_G_A.pth / latest_net_G_B.pth, and slim_generator.py,
    which builds networks from those without ganprune where they are of CycleGAN's own architecture.
    """
    run = job.run
    inputs = [run / FINE_TUNE / "train.json", *(run / f"pruned_G_{side}.safetensors" for side in slim)]
    if run.finished("write", inputs):
        return
    started, outputs = time.monotonic(), list[Path]()
    if all(isinstance(network, Generator) for network in slim.values()):  # what it can build
        outputs.append(copy_standalone(run.folder))
    for side in slim:
        known = read_metadata(run / f"pruned_G_{side}.safetensors")
        metadata = {"network": f"G_{side}"} | {key: known[key] for key in ("kept", "whole")}
        if source := job.source_sha256(side):
            metadata["source_sha256"] = source
        save_generator(run / f"G_{side}.safetensors", slim[side], metadata)
        save_cyclegan_pth(run / f"latest_net_G_{side}.pth", slim[side])
        outputs += [run / f"G_{side}.safetensors", run / f"latest_net_G_{side}.pth"]
    run.finish("write", outputs, time.monotonic() - started, inputs)
