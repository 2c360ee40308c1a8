"""``ganprune evaluate``: how good translated pictures are."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from ganprune.settings.evaluate import EvaluateOptions
from ganprune.settings.fields import read_fields, settings_of
from ganprune_cli import options
from ganprune_cli.guard import guarded
from ganprune_cli.settings import takes

FOLDERS, RUN = "Of two folders", "Of a run"


@guarded
@takes(settings_of(EvaluateOptions))
def evaluate(
    sources: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="RUN | FAKES REAL",
            help="A run (default: the last one), or a folder of translated pictures and one of real test "
            "pictures (with --fcn: of labels).",
        ),
    ] = None,
    features: options.Features = None,
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
    json: options.Json = False,
    markdown: options.Markdown = False,
    quiet: options.Quiet = False,
    *,
    given: dict[str, Any],
) -> None:  # fmt: skip
    """Measure how good translated pictures are: KID, FID and others.

    Those of networks and folders: KID, FID, as_b, lost; of networks L_DisA, L_GenA, L_cyc; of labels the FCN
    score.
    A run's slim generators are compared with its originals and with the untouched inputs, on test pictures.
    Figures of different features never compare.
    """
    from ganprune.errors import UsageError
    from ganprune_cli.asking import features_words, needed_features

    if json and markdown:
        raise UsageError("give one of --json and --markdown")
    if "fcn" not in given:
        needed_features(features)
    from ganprune.checkpoints import Own
    from ganprune.figures.of_run import EVALUATION
    from ganprune.images import DataSource
    from ganprune.runs import find_run, write_json
    from ganprune.stages.reporting import refresh_report
    from ganprune.storage.made import check_replaceable
    from ganprune.system.shell import command_line
    from ganprune_cli.console import ConsoleReporter, print_result
    from ganprune_cli.evaluating import evaluate_folders, evaluate_run
    from ganprune_cli.evaluation_tables import print_evaluation

    wishes = EvaluateOptions(
        Own.of(generator, discriminator), DataSource.given(data, data_a, data_b), features, probe, lost,
        **read_fields(EvaluateOptions, given),
    )  # fmt: skip
    reporter, folders = ConsoleReporter(quiet), sources or []
    if len(folders) > 2:
        raise UsageError(f"evaluate takes a run, or two folders, found {len(folders)}")
    if len(folders) == 2:
        found = evaluate_folders(folders[0], folders[1], wishes, reporter)
        following = command_line("evaluate", "RUN", *features_words(features))
    else:
        run = find_run(folders[0] if folders else None)
        _ = run.config  # no run at all is refused
        with run.locked():
            check_replaceable(run / EVALUATION)
            found = evaluate_run(run, wishes, reporter)
            write_json(run / EVALUATION, found)
            refresh_report(run, reporter)
        following = command_line("report", run.folder, "--serve")
    print_result(found, following, partial(print_evaluation, found, markdown), json=json, quiet=quiet)
