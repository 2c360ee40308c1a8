"""An outside rival in a comparison: filters by Torch-Pruning's own importance of groups.

    python benchmarks/torch_pruning_rival.py CKPT DATA CELLS.toml OUT FEATURES

Adds the cell ``torch-pruning`` to those of a settings file and runs what OUT does not have yet: with the OUT
of `ganprune compare`, this cell alone. Torch-Pruning (Fang et al., "DepGraph", CVPR 2023) finds what is
coupled by tracing the network, and its GroupMagnitudeImportance says what each channel of such a group is
worth; sizes, networks and fine-tuning are those of all other cells.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import torch
import torch_pruning
from torch import Tensor, nn

from ganprune.baselines import METHODS, Pruned, Subject
from ganprune.baselines.allocation import within_layers
from ganprune.baselines.subject import writers
from ganprune.comparing.cells import packaged, read_comparison
from ganprune.comparing.contest import contest
from ganprune.comparing.running import compare
from ganprune.errors import GanpruneError
from ganprune.metrics import load_features
from ganprune.models.cyclegan import Generator
from ganprune_cli.comparing import print_comparison
from ganprune_cli.console import ConsoleReporter

NAME = "torch-pruning"


def torch_pruning_groups(subject: Subject) -> Pruned:
    """The channels of the largest group importance, the same share of every layer."""
    network = Generator(subject.generator.widths, subject.generator.norm)
    network.load_state_dict(subject.generator.state_dict())
    scores = importance_of_groups(network.train(False), subject)
    return subject.cut(within_layers(scores, subject.repairer, subject.chance))


def importance_of_groups(network: Generator, subject: Subject) -> Tensor:
    """What Torch-Pruning says of every bit: float [L]."""
    for module in network.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False  # its tracer loses a norm before an operation in place
    x = torch.zeros(1, network.widths.in_channels, 32, 32)
    graph = torch_pruning.DependencyGraph().build_dependency(network.requires_grad_(True), example_inputs=x)
    worth, found = torch_pruning.importance.GroupMagnitudeImportance(p=2), list[Tensor]()
    for gene, piece in subject.layout.genes.items():
        conv = network.get_submodule(writers(subject.layout, gene)[0].name)
        indices = list(range(piece.stop - piece.start))
        group = graph.get_pruning_group(conv, torch_pruning.prune_conv_out_channels, idxs=indices)
        found.append(worth(group).detach())
    return torch.cat(found)


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("checkpoint", type=Path)
    args.add_argument("data", type=Path)
    args.add_argument("cells", help="a settings file, or the name of a packaged one")
    args.add_argument("out", type=Path)
    args.add_argument("features")
    args.add_argument("--budget", help="as for `compare`: cells that are finished with it stay")
    args.add_argument("--size", type=int)
    args.add_argument("--threads", type=int)
    opt = args.parse_args()
    try:
        compare_with_rival(opt)
    except GanpruneError as error:
        sys.exit(f"error: {error}")


def compare_with_rival(opt: argparse.Namespace) -> None:
    """Run the cells that are not there, and print the tables."""
    methods = {**METHODS, NAME: torch_pruning_groups}
    source = packaged().get(opt.cells, Path(opt.cells))
    text = source.read_text(encoding="utf-8") + f'\n[cells.{NAME}]\nmethod = "{NAME}"\n'
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cells.toml"
        path.write_text(text, encoding="utf-8")
        given = {"budget": opt.budget, "size": opt.size, "threads": opt.threads}
        comparison = read_comparison(str(path), given, methods)
    reporter = ConsoleReporter()
    found = contest(opt.checkpoint, opt.data, comparison, opt.out, reporter)
    judge = load_features(opt.features, threads=opt.threads)
    print_comparison(compare(found, judge, None, "torch_pruning_rival.py", reporter, methods), markdown=True)


if __name__ == "__main__":
    main()
