"""Options that mean the same everywhere, spelled once. All default to None: unset, so that presets and
``--config`` files can speak."""

from pathlib import Path
from typing import Annotated

import typer

SEARCH, RECOVERY, COMPUTE, SETTINGS = "Search", "Missing networks", "Where and how", "Settings"

Checkpoint = Annotated[
    Path,
    typer.Argument(
        metavar="CKPT",
        help="A CycleGAN run folder, or one of its files; its other networks are found beside it.",
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data", metavar="DIR", help="Folder with trainA and trainB. Default: dataroot of train_opt.txt."
    ),
]
DataA = Annotated[
    Path | None,
    typer.Option("--data-a", metavar="DIR", help="In place of --data: a folder of pictures of A."),
]
DataB = Annotated[
    Path | None,
    typer.Option("--data-b", metavar="DIR", help="The same of B."),
]
OwnGenerator = Annotated[
    str | None,
    typer.Option(
        "--generator",
        metavar="FILE.py:FACTORY",
        help="For a generator of an architecture of your own: the function that makes it. This runs FILE.py.",
    ),
]
OwnDiscriminator = Annotated[
    str | None,
    typer.Option("--discriminator", metavar="FILE.py:FACTORY", help="The same for a discriminator."),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="DIR", help="The run folder, or where files go."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print tables as Markdown.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, warnings only.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print the plan and an estimate of its time; write nothing.")
]

PresetName = Annotated[
    str | None,
    typer.Option(
        "--preset",
        metavar="NAME",
        help="Named settings; `ganprune presets` lists them.",
        rich_help_panel=SETTINGS,
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="TOML file of settings, spelled as options.",
        rich_help_panel=SETTINGS,
    ),
]

Searcher = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="How new genomes are made: coevolution (default), annealing or swarm.",
        rich_help_panel=SEARCH,
    ),
]
Population = Annotated[
    int | None, typer.Option(metavar="K", help="Individuals a generator.", rich_help_panel=SEARCH)
]
Generations = Annotated[int | None, typer.Option(metavar="T", help="Generations.", rich_help_panel=SEARCH)]
Gamma = Annotated[
    float | None,
    typer.Option(
        metavar="F", help="Weight of the losses against size; larger keeps more.", rich_help_panel=SEARCH
    ),
]
LambdaCycle = Annotated[
    float | None, typer.Option(metavar="F", help="Weight of cycle consistency.", rich_help_panel=SEARCH)
]
LambdaIdentity = Annotated[
    float | None, typer.Option(metavar="F", help="Weight of the identity loss.", rich_help_panel=SEARCH)
]
TargetMacs = Annotated[
    str | None,
    typer.Option(
        metavar="F[,F]",
        help="Share of the true MACs to keep, one for both or G_A,G_B; none: γ alone decides.",
        rich_help_panel=SEARCH,
    ),
]
SpeedUp = Annotated[
    str | None,
    typer.Option(
        metavar="F[,F]",
        help="How many times as fast to run, by a count of the work, not timed; both, or G_A,G_B.",
        rich_help_panel=SEARCH,
    ),
]
TargetParams = Annotated[
    str | None,
    typer.Option(metavar="F[,F]", help="Share of the parameters to keep.", rich_help_panel=SEARCH),
]
TargetMs = Annotated[
    str | None,
    typer.Option(
        metavar="F[,F]",
        help="Milliseconds a picture in ONNX Runtime, on this machine's CPU in one thread.",
        rich_help_panel=SEARCH,
    ),
]
MinFilters = Annotated[
    int | None, typer.Option(metavar="N", help="Fewest filters of a layer.", rich_help_panel=SEARCH)
]
RemoveBlocks = Annotated[
    bool | None,
    typer.Option(
        "--remove-blocks/--keep-blocks",
        help="Whether whole residual blocks may be taken out.",
        rich_help_panel=SEARCH,
    ),
]
MinPsnr = Annotated[
    float | None,
    typer.Option(
        metavar="DB", help="As fast as draws so well without training; 32: close.", rich_help_panel=SEARCH
    ),
]
MaxLost = Annotated[
    float | None,
    typer.Option(
        metavar="F",
        help="As fast as lacks no more of the translation without training; 0.1: close. Needs --lost-by.",
        rich_help_panel=SEARCH,
    ),
]
LostBy = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="The network of features that --max-lost is measured by; or set GANPRUNE_FEATURES.",
        rich_help_panel=SEARCH,
    ),
]
Align = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="Filters in multiples of N; CPUs like 16 (AVX-512) or 8.", rich_help_panel=SEARCH
    ),
]
Layout = Annotated[
    str | None,
    typer.Option(metavar="filters|shared", help="Which filters share a bit.", rich_help_panel=SEARCH),
]
Cycle = Annotated[
    str | None,
    typer.Option(
        metavar="excess|whole", help="L_cyc above the originals' own, or all of it.", rich_help_panel=SEARCH
    ),
]
Order = Annotated[
    str | None,
    typer.Option(
        metavar="alternate|simultaneous",
        help="Score G_B against this or the last generation's best G_A.",
        rich_help_panel=SEARCH,
    ),
]
Partners = Annotated[
    str | None,
    typer.Option(
        metavar="evolved|original", help="original: evolve the two separately.", rich_help_panel=SEARCH
    ),
]
Loss = Annotated[
    str | None,
    typer.Option(metavar="disa|gena", help="What the discriminator sees, or pixels.", rich_help_panel=SEARCH),
]
LoneDirection = Annotated[
    str | None,
    typer.Option(metavar="AtoB|BtoA", help="Which way a lone generator translates; default AtoB."),
]
Direction = Annotated[
    str | None,
    typer.Option(
        metavar="both|AtoB|BtoA",
        help="AtoB: only G_A becomes slim, G_B stays whole; BtoA: the reverse.",
        rich_help_panel=SEARCH,
    ),
]
RecoverDiscriminators = Annotated[
    bool | None,
    typer.Option(
        "--recover-discriminators",
        help="First train the networks that the checkpoint lacks.",
        show_default=False,
        rich_help_panel=RECOVERY,
    ),
]
RecoverBudget = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="For that, as --budget; default 5m.", rich_help_panel=RECOVERY),
]
Mutation = Annotated[
    str | None,
    typer.Option(
        metavar="auto|flip|exchange|reshape",
        help="How children differ; reshape: width moves between layers.",
        rich_help_panel=SEARCH,
    ),
]
Parents = Annotated[
    float | None,
    typer.Option(
        metavar="F", help="Share of a population, its fittest, that has children.", rich_help_panel=SEARCH
    ),
]
Apart = Annotated[
    float | None,
    typer.Option(
        metavar="F",
        help="Share of the generations, the first, whose partners are the originals.",
        rich_help_panel=SEARCH,
    ),
]
MutationRate = Annotated[
    str | None,
    typer.Option(
        metavar="F",
        help="Chance of a mutated bit to flip, or to be exchanged; none: drawn for each child.",
        rich_help_panel=SEARCH,
    ),
]
Budget = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="For fine-tuning: 90s, 20m, 1h30m, or 5epochs; 0: none.",
        rich_help_panel="Fine-tuning",
    ),
]
Races = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Train the N best of the search for a while and go on with the best of these; 0: none.",
        rich_help_panel="Fine-tuning",
    ),
]
Recipe = Annotated[
    str | None,
    typer.Option(
        metavar="distil|paper",
        help="Learn from the originals, or by CycleGAN's own recipe.",
        rich_help_panel="Fine-tuning",
    ),
]
DistilPixels = Annotated[
    float | None,
    typer.Option(metavar="F", help="Weight of the originals' pictures.", rich_help_panel="Fine-tuning"),
]
DistilMaps = Annotated[
    float | None,
    typer.Option(metavar="F", help="Weight of the originals' maps.", rich_help_panel="Fine-tuning"),
]
DistilFeatures = Annotated[
    float | None,
    typer.Option(
        metavar="F", help="Weight of what the original discriminators see.", rich_help_panel="Fine-tuning"
    ),
]
Vgg = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Weights of torchvision's VGG16, to compare pictures by its maps too.",
        rich_help_panel="Fine-tuning",
    ),
]
DistilVgg = Annotated[
    float | None,
    typer.Option(metavar="F", help="Weight of VGG16's maps, with --vgg.", rich_help_panel="Fine-tuning"),
]
DistilGan = Annotated[
    float | None,
    typer.Option(
        metavar="F",
        help="Weight of discriminators that learn along, beside the originals.",
        rich_help_panel="Fine-tuning",
    ),
]
DistilAdapters = Annotated[
    bool | None,
    typer.Option(
        "--distil-adapters/--no-distil-adapters",
        help="Compare maps with all channels, not the kept ones.",
        show_default=False,
        rich_help_panel="Fine-tuning",
    ),
]
Average = Annotated[
    float | None,
    typer.Option(
        metavar="F", help="Decay of averaged weights, a step; 0: none.", rich_help_panel="Fine-tuning"
    ),
]
Validations = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="How often to score the generators; the best are kept.",
        rich_help_panel="Fine-tuning",
    ),
]
TuneLr = Annotated[
    float | None,
    typer.Option("--tune-lr", metavar="F", help="Learning rate.", rich_help_panel="Fine-tuning"),
]
TuneBatch = Annotated[
    int | None,
    typer.Option(
        "--tune-batch", metavar="N", help="Pictures a step; default 1.", rich_help_panel="Fine-tuning"
    ),
]
Patience = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Stop after N validations in a row without a better one.",
        rich_help_panel="Fine-tuning",
    ),
]
Pictures = Annotated[
    int | None,
    typer.Option(metavar="N", help="Validation pictures a domain for scoring.", rich_help_panel=SEARCH),
]
Paired = Annotated[
    bool | None,
    typer.Option(
        "--paired/--no-paired",
        help="Pictures of A and B belong together, as pix2pix's; default: as networks and files are.",
        show_default=False,
        rich_help_panel=SEARCH,
    ),
]
TuneSteps = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="Fine-tune every individual for N steps before scoring.", rich_help_panel=SEARCH
    ),
]
Reduction = Annotated[
    str | None, typer.Option(metavar="mean|sum", help="What a squared norm means.", rich_help_panel=SEARCH)
]
Seed = Annotated[
    int | None, typer.Option(metavar="N", help="Same seed, same result.", rich_help_panel=SEARCH)
]

Size = Annotated[
    int | None, typer.Option(metavar="N", help="Height and width of pictures.", rich_help_panel=COMPUTE)
]
PictureStatistics = Annotated[
    bool,
    typer.Option(
        "--picture-statistics",
        help="Batch norm by each picture's own statistics, as CycleGAN's test.py without --eval.",
    ),
]
RunPictureStatistics = Annotated[
    bool | None,
    typer.Option(
        "--picture-statistics",
        help="Batch norm by each picture's own statistics, as CycleGAN's test.py without --eval.",
        show_default=False,
        rich_help_panel=COMPUTE,
    ),
]
Device = Annotated[
    str | None, typer.Option(metavar="DEV", help="cpu, cuda, cuda:N or auto.", rich_help_panel=COMPUTE)
]
Precision = Annotated[
    str | None,
    typer.Option(metavar="P", help="float32, bfloat16 or auto, for scoring.", rich_help_panel=COMPUTE),
]
Threads = Annotated[
    int | None, typer.Option(metavar="N", help="CPU threads; default all.", rich_help_panel=COMPUTE)
]
Workers = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Score in N processes, each of --threads threads, 1 by default; any N gives the same result.",
        rich_help_panel=COMPUTE,
    ),
]
Ray = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="auto|HOST:PORT",
        help="Score on all CPUs of a running Ray cluster, with cuda on its GPUs, on --workers N at most.",
        rich_help_panel=COMPUTE,
    ),
]
Processes = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Train in N processes, one a GPU, each on its share of a batch.",
        rich_help_panel=COMPUTE,
    ),
]
Batch = Annotated[
    int | None, typer.Option(metavar="N", help="Pictures a forward pass.", rich_help_panel=COMPUTE)
]
