"""``ganprune evaluate``: how good translated pictures are."""

from pathlib import Path
from typing import Annotated

import typer

from ganprune_cli import options
from ganprune_cli.guard import guarded

FOLDERS, RUN, LABELS = "Of two folders", "Of a run", "Of labels"


@guarded
def evaluate(
    sources: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[RUN | FAKES REAL]",
            help="A run (default: the last one), or a folder of translated pictures and one of real test "
            "pictures (with --fcn: of labels).",
        ),
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|inception",
            envvar="GANPRUNE_FEATURES",
            help="The network that compares pictures: a file of MobileNetV2, SqueezeNet 1.1 or "
            "torch-fidelity's Inception; inception: the last, downloaded.",
        ),
    ] = None,
    fid: Annotated[
        bool,
        typer.Option("--fid", help="FID too, against test pictures and, where given, train + test."),
    ] = False,
    bootstrap: Annotated[
        int,
        typer.Option(metavar="N", help="Resamples for 95 % intervals; 0: none.", hidden=True),
    ] = 200,
    train: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Real training pictures, for FID against train + test.", hidden=True,
        ),
    ] = None,
    probe: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            metavar="A B", rich_help_panel=FOLDERS,
            help="as_b: the share of FAKES that a classifier, fitted on these real pictures, takes for B.",
        ),
    ] = None,
    lost: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            metavar="ORIGINAL INPUTS", rich_help_panel=FOLDERS,
            help="lost: the share of the original network's translation that FAKES lack.",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder with testA and testB; default: the run's own.", rich_help_panel=RUN
        ),
    ] = None,
    data_a: options.DataA = None,
    data_b: options.DataB = None,
    generator: options.OwnGenerator = None,
    discriminator: options.OwnDiscriminator = None,
    pictures: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="The first N test pictures a domain; default all.", hidden=True
        ),
    ] = None,
    fcn: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="FCN score by this segmentation network, an ONNX file that gives logits.",
            rich_help_panel=LABELS,
        ),
    ] = None,
    fcn_input: Annotated[
        str,
        typer.Option(
            metavar="KIND", hidden=True,
            help="What it takes: torchvision (ImageNet's mean and deviation), keras (-1…1), caffe (BGR less "
            "means), unit (0…1) or raw (0…255).",
        ),
    ] = "torchvision",
    cache: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Keep features here; default: the run's cache/, of folders nowhere.",
            hidden=True,
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(metavar="N", help="Of the resamples.", hidden=True)
    ] = 0,
    device: options.Device = None,
    threads: options.Threads = None,
    batch: options.Batch = None,
    json: options.Json = False,
    markdown: options.Markdown = False,
    quiet: options.Quiet = False,
) -> None:  # fmt: skip
    """Measure translated pictures: KID, FID, as_b, lost, L_DisA, L_GenA, L_cyc, FCN score.

    A run's slim generators are compared with its originals and with the untouched inputs, on test pictures.
    Figures of different features never compare.
    """
    from ganprune_cli.asking import needed_features

    if fcn is None:
        needed_features(features)
    from ganprune.checkpoints import Own
    from ganprune.errors import UsageError
    from ganprune.figures.of_run import EVALUATION
    from ganprune.images import DataSource
    from ganprune.runs import find_run, write_json
    from ganprune.stages.reporting import refresh_report
    from ganprune.storage.made import check_replaceable
    from ganprune.system.shell import command_line
    from ganprune_cli.console import ConsoleReporter, print_json, print_next
    from ganprune_cli.evaluating import EvaluateOptions, evaluate_folders, evaluate_run
    from ganprune_cli.evaluation_tables import print_evaluation

    if json and markdown:
        raise UsageError("give one of --json and --markdown")
    wishes = EvaluateOptions(
        features=features, fid=fid, bootstrap=bootstrap, seed=seed, train=train, probe=probe, lost=lost,
        fcn=fcn, fcn_input=fcn_input, data=DataSource.given(data, data_a, data_b),
        pictures=pictures, own=Own.of(generator, discriminator),
        cache=cache, device=device, threads=threads, batch=batch,
    )  # fmt: skip
    reporter, given = ConsoleReporter(quiet), sources or []
    if len(given) > 2:
        raise UsageError(f"evaluate takes a run, or two folders, found {len(given)}")
    if len(given) == 2:
        found, following = evaluate_folders(given[0], given[1], wishes, reporter), ""
    else:
        run = find_run(given[0] if given else None)
        _ = run.config  # no run at all is refused
        with run.locked():
            check_replaceable(run / EVALUATION)
            found = evaluate_run(run, wishes, reporter)
            write_json(run / EVALUATION, found)
            refresh_report(run, reporter)
        following = command_line("report", run.folder, "--serve")
    if json:
        print_json(found)
    else:
        print_evaluation(found, markdown)
    print_next(following or "ganprune evaluate RUN", quiet)
