"""``ganprune demo``: the whole job on the packaged example."""

from typing import Any

from ganprune.presets import PRESETS
from ganprune_cli import options
from ganprune_cli.guard import guarded, invocation
from ganprune_cli.settings import takes, usual


@guarded
@takes({key: usual(PRESETS["demo"].settings)[key] for key in ("budget", "seed", "threads")})
def demo(
    output: options.Output = None,
    json: options.Json = False,
    markdown: options.Markdown = False,
    quiet: options.Quiet = False,
    *,
    given: dict[str, Any],
) -> None:
    """Run the whole job on a small CycleGAN, in minutes.

    It adds and removes the stripes of drawn animals. Everything goes into runs/demo; look at pictures.png.
    """
    from pathlib import Path

    from ganprune.example.demo import run_demo
    from ganprune_cli.console import ConsoleReporter, print_json, print_next, say
    from ganprune_cli.demo import print_coats
    from ganprune_cli.tables import print_bench, print_quality

    folder = output or Path("runs/demo")
    found = run_demo(folder, given, invocation(), ConsoleReporter(quiet))
    following = "ganprune compress CKPT --data DIR"
    if json:
        print_json(found, following)
    else:
        print_quality(found["quality"], markdown)
        print_bench(found["bench"], markdown)
        say()
        print_coats(found["coats"], markdown)
        say(f"\npictures: {found['pictures']}")
    print_next(f"{following}, with a checkpoint of your own", quiet)
