"""The slim generators refitted to the originals by least squares: whatever chose their filters."""

import time
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from ganprune.channels import ChannelGraph, graph_of
from ganprune.checkpoints import load_generator, read_metadata, save_generator
from ganprune.errors import RunError
from ganprune.images import load_pictures, to_float
from ganprune.refit import RefitSettings, refitted
from ganprune.runs import Run
from ganprune.settings.words import Domain
from ganprune.stages.job import Job
from ganprune.stages.setting_up import split_files
from ganprune.storage.plain import fits, parse_json
from ganprune.system.device import cpu_threads, resolve_device
from ganprune.training.seeds import generator_for

MEMORY = 3 << 30
"""Bytes that the maps of all pictures may take; where they would take more, fewer pictures are looked at."""


def refit_both(job: Job, pruned: Mapping[Domain, nn.Module]) -> dict[Domain, nn.Module]:
    """Refit each slim generator on training pictures of the domain that it translates.

    On ``settings.tuning.refit_pictures`` of those that the search was not scored on; 0 of them returns the
    generators as they are. Writes refitted_G_A.safetensors and refitted_G_B.safetensors.
    """
    run, settings, originals = job.run, job.settings, job.originals
    n = settings.tuning.refit_pictures
    if not n:
        return dict(pruned)
    paths: dict[Domain, Path] = {side: run / f"refitted_G_{side}.safetensors" for side in pruned}
    inputs = [run / f"pruned_G_{side}.safetensors" for side in pruned]
    if run.finished("refit", inputs):
        return {side: load_generator(path, job.own) for side, path in paths.items()}
    device, started, slim = resolve_device(job.resolved.device), time.monotonic(), dict[Domain, nn.Module]()
    files, _ = split_files(job.folders, settings)  # the search has told what cannot be read
    size, seed = settings.pictures.size, settings.search.seed
    for side, network in pruned.items():
        graph = graph_of(originals[side])
        units = graph.units(kept_filters(run, side, graph, network))
        order = torch.randperm(len(files[side]), generator=generator_for(seed, "refit pictures", side))
        few = order[: as_many_as_fit(n, size, graph)].tolist()
        chosen = [files[side][i] for i in few]
        pictures = to_float(load_pictures(chosen, size, channels=graph.inputs)).to(device).split(1)
        with cpu_threads(job.resolved.threads):
            found = refitted(
                network.to(device), originals[side].to(device), units, pictures,
                RefitSettings(seed=seed), job.reporter,
            )  # fmt: skip
        assert isinstance(found, nn.Module)
        slim[side] = found.to("cpu")
        save_generator(paths[side], slim[side], {"network": f"G_{side}"})
    run.finish("refit", paths.values(), time.monotonic() - started, inputs)
    return slim


def kept_filters(run: Run, side: Domain, original: ChannelGraph, slim: nn.Module) -> dict[str, torch.Tensor]:
    """Which filters of every group a slim generator kept: int64, ascending.

    Raises `RunError` where the file that it was cut to does not say so.
    """
    path = run / f"pruned_G_{side}.safetensors"
    whole, few = original.sizes, graph_of(slim).sizes.values()
    try:
        told = parse_json(read_metadata(path)["kept"])
        if not fits(told, {str: [int]}) or told.keys() != whole.keys():
            raise ValueError("groups of filters are missing")
        there = [group for group, indices in told.items() if indices]  # others' residual blocks are taken out
        for group, needed in zip(there, few, strict=True):
            indices = told[group]
            if len(indices) != needed or not all(0 <= index < whole[group] for index in indices):
                raise ValueError(f"{needed} of {whole[group]} were needed for {group}")
    except (KeyError, ValueError, TypeError) as error:
        raise RunError(
            f"{path} does not say which filters were kept ({error}); delete it to cut it again"
        ) from None
    return {group: torch.tensor(indices, dtype=torch.int64) for group, indices in told.items()}


def as_many_as_fit(n: int, size: int, graph: ChannelGraph) -> int:
    """Pictures whose maps take at most `MEMORY`: the original's largest, and as much for the slim one's."""
    widest = max(layer.outputs * len(layer.writes) for layer in graph.layers)
    each = 2 * 4 * size * size * widest
    return max(1, min(n, int(MEMORY // each)))
