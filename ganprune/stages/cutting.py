"""The best genomes become slim networks, refitted by least squares, and files in the end."""

import json
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from ganprune import checkpoints
from ganprune.channels import ChannelGraph, graph_of
from ganprune.images import to_float
from ganprune.pruning.rebuild import rebuilt
from ganprune.pruning.statistics import following, seen_by_norms
from ganprune.refit import RefitSettings, refitted
from ganprune.runs import Run
from ganprune.search.coevolution import State
from ganprune.settings.words import Domain
from ganprune.stages.job import FINE_TUNE, Job, refit_pictures
from ganprune.stages.searching import STATE, layouts
from ganprune.storage.plain import parse_json, shaped, sound
from ganprune.system.device import cpu_threads, resolve_device


def rebuild_both(job: Job, state: State) -> dict[Domain, nn.Module]:
    """Cut the slim generators out of the originals by the best genomes.

    Of one that does not evolve there is none. Running statistics of batch norm follow the original's on the
    search's pictures.

    Writes pruned_G_A.safetensors and pruned_G_B.safetensors, with their kept indices in the metadata.
    """
    run = job.run
    paths: dict[Domain, Path] = {side: run / f"pruned_G_{side}.safetensors" for side in state.populations}
    if run.finished("rebuild", [run / STATE]):
        return {side: checkpoints.load_generator(paths[side], job.own) for side in paths}
    started, slim = time.monotonic(), dict[Domain, nn.Module]()
    for side, layout in layouts(job.originals, job.settings).items():
        genome = state.populations[side].best_genome
        original, x = job.originals[side], to_float(job.pictures[side]).split(1)
        with cpu_threads(job.resolved.threads):
            slim[side] = following(
                rebuilt(original, layout, genome), layout, genome, seen_by_norms(original, x), x
            )
        save_pruned(job, side, slim[side], layout.kept(genome))
    run.finish("rebuild", paths.values(), time.monotonic() - started, [run / STATE])
    return slim


def save_pruned(job: Job, side: Domain, slim: nn.Module, kept: Mapping[str, Tensor]) -> None:
    """Write pruned_G_A.safetensors or pruned_G_B.safetensors. kept: indices of filters, by their groups."""
    indices = {group: index.tolist() for group, index in kept.items()}
    whole = json.dumps(graph_of(job.originals[side]).sizes)
    metadata = {"network": f"G_{side}", "kept": json.dumps(indices), "whole": whole}
    checkpoints.save_generator(job.run / f"pruned_G_{side}.safetensors", slim, metadata)


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
    started, outputs = time.monotonic(), checkpoints.copy_standalone(run.folder, slim.values())
    for side in slim:
        known = checkpoints.read_metadata(run / f"pruned_G_{side}.safetensors")
        metadata = {"network": f"G_{side}"} | {key: known[key] for key in ("kept", "whole")}
        if source := job.source_sha256(side):
            metadata["source_sha256"] = source
        checkpoints.save_generator(run / f"G_{side}.safetensors", slim[side], metadata)
        checkpoints.save_cyclegan_pth(run / f"latest_net_G_{side}.pth", slim[side])
        outputs += [run / f"G_{side}.safetensors", run / f"latest_net_G_{side}.pth"]
    run.finish("write", outputs, time.monotonic() - started, inputs)


MEMORY = 3 << 30
"""Bytes that the maps of all pictures may take; where they would take more, fewer pictures are looked at."""


def refit_both(job: Job, pruned: Mapping[Domain, nn.Module]) -> dict[Domain, nn.Module]:
    """Refit each slim generator on training pictures of the domain that it translates.

    On ``settings.tuning.refit_pictures`` training pictures, none of them held out; 0 returns the
    generators as they are. Writes refitted_G_A.safetensors and refitted_G_B.safetensors.
    """
    run, settings, originals = job.run, job.settings, job.originals
    n = settings.tuning.refit_pictures
    if not n:
        return dict(pruned)
    paths: dict[Domain, Path] = {side: run / f"refitted_G_{side}.safetensors" for side in pruned}
    inputs = [run / f"pruned_G_{side}.safetensors" for side in pruned]
    if run.finished("refit", inputs):
        return {side: checkpoints.load_generator(path, job.own) for side, path in paths.items()}
    device, started, slim = resolve_device(job.resolved.device), time.monotonic(), dict[Domain, nn.Module]()
    size, seed = settings.pictures.size, settings.search.seed
    for side, network in pruned.items():
        graph = graph_of(originals[side])
        units = graph.units(kept_filters(run, side, graph, network))
        few = as_many_as_fit(n, size, graph)
        pictures = to_float(refit_pictures(job, side, few)).to(device).split(1)
        with cpu_threads(job.resolved.threads):
            found = refitted(
                network.to(device), originals[side].to(device), units, pictures,
                RefitSettings(seed=seed), job.reporter,
            )  # fmt: skip
        assert isinstance(found, nn.Module)
        slim[side] = found.to("cpu")
        checkpoints.save_generator(paths[side], slim[side], {"network": f"G_{side}"})
    run.finish("refit", paths.values(), time.monotonic() - started, inputs)
    return slim


def kept_filters(run: Run, side: Domain, original: ChannelGraph, slim: nn.Module) -> dict[str, torch.Tensor]:
    """Which filters of every group a slim generator kept: int64, ascending.

    Raises `RunError` where the file that it was cut to does not say so.
    """
    path = run / f"pruned_G_{side}.safetensors"
    whole, few = original.sizes, graph_of(slim).sizes.values()
    with sound(path, "delete it to cut it again", "does not say which filters were kept"):
        told = shaped(parse_json(checkpoints.read_metadata(path)["kept"]), dict[str, list[int]])
        if told.keys() != whole.keys():
            raise ValueError("groups of filters are missing")
        there = [group for group, indices in told.items() if indices]  # others' residual blocks are taken out
        for group, needed in zip(there, few, strict=True):
            indices = told[group]
            if len(indices) != needed or not all(0 <= index < whole[group] for index in indices):
                raise ValueError(f"{needed} of {whole[group]} were needed for {group}")
    return {group: torch.tensor(indices, dtype=torch.int64) for group, indices in told.items()}


def as_many_as_fit(n: int, size: int, graph: ChannelGraph) -> int:
    """Pictures whose maps take at most `MEMORY`: the original's largest, and as much for the slim one's."""
    widest = max(layer.outputs * len(layer.writes) for layer in graph.layers)
    each = 2 * 4 * size * size * widest
    return max(1, min(n, int(MEMORY // each)))
