"""``ganprune compare``: searches, ablations and rivals side by side."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from ganprune.settings import KEYS
from ganprune_cli import options
from ganprune_cli.guard import guarded, invocation
from ganprune_cli.settings import takes, usual


@guarded
@takes(usual(dict.fromkeys(KEYS)), ("size", "budget", "device", "threads", "workers"))
def compare(
    config: Annotated[
        str,
        typer.Option(
            metavar="FILE|NAME",
            help="TOML file that lists the cells, or a packaged one: example, horse2zebra-128, horse2zebra, "
            "summer2winter, cityscapes.",
        ),
    ],
    ckpt: Annotated[
        Path | None,
        typer.Argument(
            metavar="CKPT",
            help="A CycleGAN run folder, one of its files, or hf://OWNER/NAME; --config example has its own.",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder with trainA, trainB, testA and testB. Default: dataroot of train_opt.txt.",
        ),
    ] = None,
    data_a: options.DataA = None,
    data_b: options.DataB = None,
    generator: options.OwnGenerator = None,
    discriminator: options.OwnDiscriminator = None,
    output: Annotated[
        Path | None,
        options.output_to("Where finished cells and their runs go; default: runs/compare-NAME."),
    ] = None,
    features: options.Features = None,
    fcn: Annotated[
        Path | None,
        typer.Option(
            metavar="ONNX",
            help="A segmentation network, for the FCN score of what G_B makes of label maps "
            "in the colours of cityscapes.",
        ),
    ] = None,
    fcn_input: Annotated[
        str, typer.Option(metavar="KIND", help="What that takes, as for evaluate.", hidden=True)
    ] = "torchvision",
    cells: Annotated[str | None, typer.Option(metavar="NAME,…", help="Only these cells of the file.")] = None,
    finished: Annotated[
        bool, typer.Option("--finished", help="Run nothing: the tables of the cells that are finished.")
    ] = False,
    dry_run: options.DryRun = False,
    json: options.Json = False,
    csv: options.Csv = False,
    markdown: options.Markdown = False,
    quiet: options.Quiet = False,
    *,
    given: dict[str, Any],
) -> None:
    """Compare searches, ablations and rivals.

    All get the same pictures, size, fine-tuning and figures, as the file of --config says where no option
    says otherwise. Finished cells are not done again.
    """
    from ganprune_cli.asking import needed_features

    if (ckpt is not None or config == "example") and not (dry_run or finished):
        needed_features(features)
    from ganprune.checkpoints import Own
    from ganprune.comparing.cells import read_comparison
    from ganprune.comparing.contest import check_sources, contest, folder_of, judged_by, outline
    from ganprune.comparing.record import judges_of
    from ganprune.comparing.running import compare as run_compare
    from ganprune.comparing.running import finished as what_is_there
    from ganprune.comparing.running import nothing_finished
    from ganprune.comparing.tables import comparison_csv
    from ganprune.errors import UsageError
    from ganprune.example import CHECKPOINT, PICTURES
    from ganprune.images import DataSource
    from ganprune.metrics import Segmenter, load_features
    from ganprune.system.device import resolve_threads
    from ganprune.system.shell import command_line
    from ganprune_cli.comparing import print_comparison, print_outline
    from ganprune_cli.console import ConsoleReporter, print_result, say

    if json + csv + markdown > 1:
        raise UsageError("give one of --json, --csv and --markdown")
    if dry_run and (finished or csv):
        raise UsageError(f"--dry-run and {'--finished' if finished else '--csv'} contradict each other")
    source = DataSource.given(data, data_a, data_b)
    check_sources(config, ckpt, source)
    comparison = read_comparison(config, given).only(cells)
    if fcn is not None and comparison.settings.task != "cityscapes":
        raise UsageError(
            "--fcn is for label maps in the colours of cityscapes, found the task "
            f'{comparison.settings.task}; give task = "cityscapes" in [compare], or leave it out'
        )
    reporter, folder = ConsoleReporter(quiet), folder_of(output, config)
    judges = judges_of(folder) if finished and not features and fcn is None else {}
    if finished and not (folder / "original.json").is_file():
        raise nothing_finished(folder)
    compute = comparison.cells[0].settings.compute
    network = None
    if not (dry_run or judges):
        network = load_features(needed_features(features), compute.device, compute.threads)
    cores = resolve_threads(compute.threads)
    segmenter = None if fcn is None or dry_run else Segmenter(fcn, fcn_input, cores)
    if ckpt is None:
        ckpt, source = CHECKPOINT, DataSource(PICTURES)
    found = contest(ckpt, source, comparison, folder, reporter, Own.of(generator, discriminator))
    if dry_run:
        planned = outline(found, reporter)
        following = invocation().replace(" --dry-run", "") + ("" if features else " --features FILE")
        show = partial(print_outline, planned, markdown)
        return print_result(planned, following, show, json=json, quiet=quiet)
    if finished:
        result = what_is_there(found, judged_by(network, segmenter) if network else judges)
    else:
        assert network is not None
        result = run_compare(found, network, segmenter, invocation(), reporter)
    following = "" if result.best is None else command_line("export", "--onnx", result.best)
    show = partial(print_comparison, result, markdown)
    if csv:
        show = partial(say, comparison_csv(result.methods), end="")
    print_result(result.to_json(), following, show, json=json, quiet=quiet)
