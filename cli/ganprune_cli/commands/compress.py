"""``ganprune compress``: the whole job."""

from ganprune_cli import options
from ganprune_cli.guard import guarded, invocation


@guarded
def compress(
    ckpt: options.Checkpoint,
    data: options.Data = None,
    data_a: options.DataA = None,
    data_b: options.DataB = None,
    generator: options.OwnGenerator = None,
    discriminator: options.OwnDiscriminator = None,
    output: options.Output = None,
    preset: options.PresetName = None,
    config: options.Config = None,
    target_ms: options.TargetMs = None,
    speed_up: options.SpeedUp = None,
    min_psnr: options.MinPsnr = None,
    max_lost: options.MaxLost = None,
    lost_by: options.LostBy = None,
    target_macs: options.TargetMacs = None,
    target_params: options.TargetParams = None,
    searcher: options.Searcher = None,
    population: options.Population = None,
    generations: options.Generations = None,
    gamma: options.Gamma = None,
    lambda_cycle: options.LambdaCycle = None,
    lambda_identity: options.LambdaIdentity = None,
    align: options.Align = None,
    min_filters: options.MinFilters = None,
    remove_blocks: options.RemoveBlocks = None,
    layout: options.Layout = None,
    order: options.Order = None,
    cycle: options.Cycle = None,
    partners: options.Partners = None,
    apart: options.Apart = None,
    loss: options.Loss = None,
    direction: options.Direction = None,
    recover_discriminators: options.RecoverDiscriminators = None,
    recover_budget: options.RecoverBudget = None,
    parents: options.Parents = None,
    mutation: options.Mutation = None,
    mutation_rate: options.MutationRate = None,
    pictures: options.Pictures = None,
    paired: options.Paired = None,
    reduction: options.Reduction = None,
    tune_steps: options.TuneSteps = None,
    seed: options.Seed = None,
    races: options.Races = None,
    budget: options.Budget = None,
    recipe: options.Recipe = None,
    distil_pixels: options.DistilPixels = None,
    distil_maps: options.DistilMaps = None,
    distil_features: options.DistilFeatures = None,
    vgg: options.Vgg = None,
    distil_vgg: options.DistilVgg = None,
    distil_gan: options.DistilGan = None,
    distil_adapters: options.DistilAdapters = None,
    tune_lr: options.TuneLr = None,
    tune_batch: options.TuneBatch = None,
    average: options.Average = None,
    validations: options.Validations = None,
    patience: options.Patience = None,
    size: options.Size = None,
    picture_statistics: options.RunPictureStatistics = None,
    device: options.Device = None,
    precision: options.Precision = None,
    threads: options.Threads = None,
    batch: options.Batch = None,
    workers: options.Workers = None,
    ray: options.Ray = None,
    processes: options.Processes = None,
    dry_run: options.DryRun = False,
    json: options.Json = False,
    markdown: options.Markdown = False,
    quiet: options.Quiet = False,
) -> None:
    """Make slim generators: search, fine-tune, export, bench.

    Running the same command again goes on where the last one stopped.
    """
    given = {
        key: value
        for key, value in locals().items()
        if key not in ("generator", "discriminator",
                        "ckpt", "data", "data_a", "data_b", "output", "preset", "config", "dry_run", "json",
                       "markdown", "quiet")
    }  # fmt: skip
    from ganprune.checkpoints import Own
    from ganprune.compression import compress as run_compress
    from ganprune.compression import foresee
    from ganprune.errors import TargetError
    from ganprune.images import DataSource
    from ganprune.layers import compress_settings
    from ganprune.system.shell import command_line
    from ganprune_cli.console import ConsoleReporter, print_json, print_next, say
    from ganprune_cli.tables import print_bench, print_plan, print_quality

    settings, reporter = compress_settings(preset, config, given), ConsoleReporter(quiet)
    source = DataSource.given(data, data_a, data_b)
    if dry_run:
        foreseen = foresee(ckpt, source, settings, reporter, own=Own.of(generator, discriminator))
        if json:
            print_json(foreseen.to_json())
        else:
            print_plan(foreseen, markdown)
        print_next(invocation().replace(" --dry-run", ""), quiet)
        return
    found = run_compress(
        ckpt, source, generator=generator, discriminator=discriminator, output=output, settings=settings,
        reporter=reporter, command=invocation(),
    )  # fmt: skip
    run = found.folder
    if json:
        print_json(found.to_json())
    else:
        print_quality(found.quality, markdown)
        print_bench(found.bench, markdown)
        slim = ", ".join(f"{run}/G_{side}.onnx" for side in found.slim)
        say(f"\nslim generators: {slim}; before and after: {run}/pictures.png")
    if missed := found.missed():
        raise TargetError(f"{missed}; everything was written")
    print_next(command_line("report", run), quiet)
