"""The parts of a report. Each says what it shows, or why it does not."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ganprune.errors import GanpruneError
from ganprune.figures import (
    bar_chart,
    filter_panels,
    operator_chart,
    search_panels,
    training_panels,
    widths_diagram,
)
from ganprune.figures.of_run import (
    EVALUATION,
    comparisons_of,
    first_layer_of,
    json_of,
    lines_of,
    sides_of,
    training_lines,
    widths_of,
)
from ganprune.report.html import Html, charts, joined, tag
from ganprune.report.pictures import picture_rows
from ganprune.report.tables import (
    bench_tables,
    best_losses,
    headline,
    provenance_tables,
    quality_tables,
    settings_table,
    time_bars,
)
from ganprune.reporting import Reporter
from ganprune.runs import Run


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the page."""

    key: str
    """Its address within the page."""
    title: str
    content: Html


def sections(run: Run, reporter: Reporter) -> list[Section]:
    """All parts of a run's report, in order. A part whose files are damaged says so; the others stay."""
    makers: Sequence[tuple[str, str, Callable[[Run], Html]]] = (
        ("overview", "What was made", _overview),
        ("pictures", "Before and after", _pictures),
        ("speed", "Size and speed", _speed),
        ("quality", "Quality", _quality),
        ("operators", "Time by operator", _operators),
        ("layers", "Layers", _layers),
        ("filters", "First-layer filters", _filters),
        ("search", "Search", _search),
        ("tuning", "Fine-tuning", _tuning),
        ("settings", "Settings", lambda run: settings_table(run.config)),
        ("provenance", "Provenance", lambda run: provenance_tables(run.config, run.provenance)),
        ("repeat", "Do it again", _repeat),
    )
    return [Section(key, title, _guarded(title, make, run, reporter)) for key, title, make in makers]


_DAMAGE = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError)
"""What comes of values of other kinds than were written."""


def _guarded(title: str, make: Callable[[Run], Html], run: Run, reporter: Reporter) -> Html:
    """A part, or a line on what is wrong with its files: those may be older, cut short, or someone else's."""
    try:
        return make(run)
    except GanpruneError as error:
        problem = str(error)
    except (*_DAMAGE, OSError, RecursionError) as error:
        problem = f"its files are not as ganprune writes them ({type(error).__name__}: {error})"
    reporter.warn(f"report, {title}: {problem}")
    return _missing(problem)


def _missing(why: object) -> Html:
    return tag("p", why, class_="missing")


def _overview(run: Run) -> Html:
    config = run.config
    settings, sides = config["settings"], sides_of(run)
    names = " and ".join(f"G_{side}" for side in sides)
    shares = settings.get("target-macs", "none")
    target = "γ alone deciding the size"
    if isinstance(speeds := settings.get("speed-up"), list):
        times = " and ".join(f"{float(times):g}" for times in dict.fromkeys(speeds))
        target = f"to run {times} times as fast"
    if isinstance(shares, list):
        kept = " and ".join(f"{float(share):.0%}" for share in dict.fromkeys(shares))
        target = f"at most {kept} of the true MACs kept"
    how = (
        f"{names} of {config['checkpoint']}, by co-evolution: {settings['population']} individuals "
        f"a generator, {settings['generations']} generations, γ = {settings['gamma']}, "
        f"λ = {settings['lambda-cycle']}, {target}; "
        f"scored on {settings['pictures']} pictures a domain at {settings['size']}×{settings['size']}."
    )
    budget = str(settings.get("budget", "0"))
    recipe = "taught by the originals" if settings.get("recipe") == "distil" else "by CycleGAN's own recipe"
    tuning = "No fine-tuning." if budget == "0" else f"Fine-tuned for {budget}, {recipe}."
    timed = json_of(run / "bench.json")
    cards = _missing("Not timed yet: ganprune bench --cpu") if timed is None else headline(timed)
    return joined([tag("p", how, " ", tuning), cards])


def _pictures(run: Run) -> Html:
    note = (
        "Validation pictures, which no training step sees. Drag the handle: left of it is the original "
        "network's picture, right of it the slim one's."
    )
    return joined([tag("p", note, class_="note"), picture_rows(comparisons_of(run))])


def _speed(run: Run) -> Html:
    timed = json_of(run / "bench.json")
    if timed is None:
        return _missing(f"Not timed yet: ganprune bench --cpu {run.folder}")
    bars = [
        bar_chart(f"Median ms a picture, {n} thread{'s' if n > 1 else ''}", time_bars(timed, n))
        for n in timed["settings"]["threads"]
    ]
    sentences = tag("ul", *(tag("li", sentence) for sentence in timed["sentences"]))
    note = tag(
        "p", f"{timed.get('header', '')}. Whiskers: from the 10th to the 90th percentile.", class_="note"
    )
    return joined([note, charts(bars), sentences, bench_tables(timed)])


def _quality(run: Run) -> Html:
    found = json_of(run / EVALUATION)
    if found is None:
        command = f"ganprune evaluate {shlex.quote(str(run.folder))} --features FILE"
        return _missing(joined(["Not evaluated yet: ", tag("code", command)]))
    return quality_tables(found)


def _operators(run: Run) -> Html:
    timed = json_of(run / "bench.json")
    profiles: list[dict[str, Any]] = (timed or {}).get("profiles", [])
    if not profiles:
        command = f"ganprune bench --cpu --profile {shlex.quote(str(run.folder))}"
        return _missing(joined(["Not profiled yet: ", tag("code", command)]))
    networks = {net["name"]: net for net in (timed or {})["networks"]}
    groups: dict[str, dict[str, dict[str, float]]] = {}
    for profile in profiles:
        name = str(profile["network"])
        group = groups.setdefault(str(networks[name]["against"] or name), {})
        group[name] = {str(kind): float(ms) for kind, ms in profile["operators"].items()}
    return charts(
        [operator_chart(f"{name} and its slim one: ms a run", group) for name, group in groups.items()]
    )


def _layers(run: Run) -> Html:
    note = tag(
        "p",
        "From top to bottom as pictures pass. The trunk's filters are shared by the second convolution of "
        "every block, whose sums they are; a block's bar is its first convolution.",
        class_="note",
    )
    diagrams = [widths_diagram(f"G_{side}", *widths_of(run, side)) for side in sides_of(run)]
    return joined([note, charts(diagrams)])


def _filters(run: Run) -> Html:
    parts: list[Html] = [tag("p", "Grey is 0; each filter is drawn in its own range.", class_="note")]
    for side in sides_of(run):
        layer = first_layer_of(run, side)
        parts.append(charts(filter_panels(layer, {})))
        parts.append(tag("ul", *(tag("li", f"{layer.network}: {told}") for told in layer.sentences())))
    return joined(parts)


def _search(run: Run) -> Html:
    lines = lines_of(run / "search.jsonl")
    if not lines:
        return _missing("search.jsonl is missing.")
    return joined([charts(search_panels(lines)), best_losses(lines)])


def _tuning(run: Run) -> Html:
    lines = training_lines(run)
    return charts(training_panels(lines)) if lines else _missing("There was no fine-tuning.")


def _repeat(run: Run) -> Html:
    folder = shlex.quote(str(run.folder))
    commands = [
        run.command or f"ganprune compress {shlex.quote(run.config['checkpoint'])} -o {folder}",
        f"ganprune export --onnx {folder}",
        f"ganprune bench --cpu --profile {folder}",
        f"ganprune evaluate {folder} --features FILE",
        f"ganprune report {folder}",
        f"ganprune report {folder} --serve",
    ]
    return tag("pre", tag("code", "\n".join(str(command) for command in commands)))
