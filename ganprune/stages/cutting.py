"""The best genomes become slim networks, and in the end files for ganprune and for CycleGAN's own code."""

import json
import time
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from ganprune.checkpoints import (
    copy_standalone,
    load_generator,
    read_metadata,
    save_cyclegan_pth,
    save_generator,
)
from ganprune.coevolution import State
from ganprune.evaluation import Side
from ganprune.images import to_float
from ganprune.networks import Generator
from ganprune.rebuild import rebuilt, recalibrated
from ganprune.runs import Run
from ganprune.settings import CompressSettings
from ganprune.stages.searching import STATE, layouts
from ganprune.stages.training import FINE_TUNE


def rebuild_both(
    run: Run,
    generators: Mapping[Side, Generator],
    state: State,
    pictures: Mapping[Side, Tensor],
    settings: CompressSettings,
) -> dict[Side, Generator]:
    """Cut the slim generators out of the originals by the best genomes.

    Of one that does not evolve there is none. Running statistics of batch norm are those of the slim network
    on ``pictures``, uint8 [n, 3, h, w] of both domains.

    Writes pruned_G_A.safetensors and pruned_G_B.safetensors, with their kept indices in the metadata.
    """
    paths: dict[Side, Path] = {side: run / f"pruned_G_{side}.safetensors" for side in state.populations}
    if run.finished("rebuild", [run / STATE]):
        return {side: load_generator(paths[side]) for side in paths}
    started, slim = time.monotonic(), dict[Side, Generator]()
    for side, layout in layouts(generators, settings).items():
        genome = state.populations[side].best_genome
        cut = rebuilt(generators[side], layout, genome)
        slim[side] = recalibrated(cut, to_float(pictures[side]).split(1))
        kept = {group: index.tolist() for group, index in layout.kept(genome).items()}
        save_generator(paths[side], slim[side], {"network": f"G_{side}", "kept": json.dumps(kept)})
    run.finish("rebuild", paths.values(), time.monotonic() - started, [run / STATE])
    return slim


def write_both(run: Run, slim: Mapping[Side, Generator], source_sha256: Mapping[Side, str]) -> None:
    """Write the finished generators, for ganprune and for CycleGAN's own code.

    G_A.safetensors / G_B.safetensors, whose metadata hold widths, kept indices and the hash of the
    original's file; the same tensors as latest_net_G_A.pth / latest_net_G_B.pth, and slim_generator.py,
    which builds networks from those without ganprune.
    """
    inputs = [run / FINE_TUNE / "train.json", *(run / f"pruned_G_{side}.safetensors" for side in slim)]
    if run.finished("write", inputs):
        return
    started, outputs = time.monotonic(), [copy_standalone(run.folder)]
    for side in slim:
        kept = read_metadata(run / f"pruned_G_{side}.safetensors")["kept"]
        metadata = {"network": f"G_{side}", "kept": kept, "source_sha256": source_sha256[side]}
        save_generator(run / f"G_{side}.safetensors", slim[side], metadata)
        save_cyclegan_pth(run / f"latest_net_G_{side}.pth", slim[side])
        outputs += [run / f"G_{side}.safetensors", run / f"latest_net_G_{side}.pth"]
    run.finish("write", outputs, time.monotonic() - started, inputs)
