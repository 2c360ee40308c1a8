"""``ganprune compress``: the whole job."""

from ganprune_cli import options
from ganprune_cli.guard import guarded, invocation


@guarded
def compress(
    ckpt: options.Checkpoint,
    data: options.Data = None,
    data_a: options.DataA = None,
    data_b: options.DataB = None,
    output: options.Output = None,
    preset: options.PresetName = None,
    config: options.Config = None,
    searcher: options.Searcher = None,
    population: options.Population = None,
    generations: options.Generations = None,
    gamma: options.Gamma = None,
    lambda_cycle: options.LambdaCycle = None,
    lambda_identity: options.LambdaIdentity = None,
    target_macs: options.TargetMacs = None,
    target_params: options.TargetParams = None,
    target_ms: options.TargetMs = None,
    align: options.Align = None,
    min_filters: options.MinFilters = None,
    width_spread: options.WidthSpread = None,
    block_width: options.BlockWidth = None,
    layout: options.Layout = None,
    order: options.Order = None,
    partners: options.Partners = None,
    apart: options.Apart = None,
    loss: options.Loss = None,
    direction: options.Direction = None,
    recover_discriminators: options.RecoverDiscriminators = None,
    recover_budget: options.RecoverBudget = None,
    parents: options.Parents = None,
    mutation: options.Mutation = None,
    mutation_rate: options.MutationRate = None,
    p_genes: options.PGenes = None,
    informed: options.Informed = None,
    pictures: options.Pictures = None,
    reduction: options.Reduction = None,
    tune_steps: options.TuneSteps = None,
    seed: options.Seed = None,
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
        if key not in ("ckpt", "data", "data_a", "data_b", "output", "preset", "config", "dry_run", "json",
                       "markdown", "quiet")
    }  # fmt: skip
    from ganprune.errors import UsageError
    from ganprune.images import DataSource
    from ganprune_cli.console import ConsoleReporter, command_line, print_json, print_next, say
    from ganprune_cli.job import prepare
    from ganprune_cli.layers import compress_settings
    from ganprune_cli.pipeline import compress as run_compress
    from ganprune_cli.tables import print_bench, print_plan

    settings = compress_settings(preset, config, given)
    if settings.search.searcher == "front":
        raise UsageError("--searcher front finds a family of sizes, not one; run `ganprune front` instead")
    reporter = ConsoleReporter(quiet)
    job = prepare(ckpt, DataSource.given(data, data_a, data_b), settings, reporter)
    if dry_run:
        from ganprune.plan import plan
        from ganprune.stages import search_pictures
        from ganprune_cli.predicting import foresee

        search_pictures(job.folders, job.settings, reporter)  # says now what would fail later
        job, milliseconds = foresee(job, reporter)
        settings = job.settings
        whole = job.completed()
        sketch = plan(whole.generators, whole.judges, settings, job.resolved)
        if json:
            print_json(
                {"plan": sketch.to_json(), "milliseconds": milliseconds, "settings": settings.to_flat()}
            )
        else:
            print_plan(sketch, settings, job.quartet.missing(), milliseconds, markdown)
        print_next(invocation().replace(" --dry-run", ""), quiet)
        return
    found = run_compress(job, output, invocation(), reporter)
    if json:
        print_json(found)
    else:
        print_bench(found["bench"], markdown)
        run = found["run"]
        slim = ", ".join(f"{run}/G_{side}.onnx" for side in job.settings.search.sides)
        say(f"\nslim generators: {slim}; before and after: {run}/pictures.png")
    print_next(command_line("bench", "--cpu", found["run"]), quiet)
