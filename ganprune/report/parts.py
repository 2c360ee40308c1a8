"""The parts of a report. One whose files are damaged says so, and the others stay."""

import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from markupsafe import Markup
from PIL import Image

from ganprune.bench.report import Timed
from ganprune.errors import GanpruneError
from ganprune.figures import (
    Bar,
    Pixels,
    bar_chart,
    clean,
    filter_panels,
    of_run,
    operator_chart,
    search_panels,
    to_page,
    training_panels,
    widths_diagram,
)
from ganprune.figures.panels import LOSSES, measured_losses
from ganprune.figures.style import data_uri
from ganprune.images import DataSource
from ganprune.images.sources import Domain
from ganprune.metrics import telling
from ganprune.presets import compress_settings
from ganprune.pruning.fitness import psnr
from ganprune.report.networks import domain_names
from ganprune.report.wording import meets, what_was_done
from ganprune.reporting import Reporter
from ganprune.runs import Run
from ganprune.settings.words import OTHER
from ganprune.storage.plain import fits
from ganprune.storage.tables import Table, in_threads, plus_minus
from ganprune.system.shell import command_line

if TYPE_CHECKING:
    from jinja2 import Environment
    from matplotlib.figure import Figure

LARGEST = 512  # pictures of more pixels a side are made smaller, so that a page stays small
_DAMAGE = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, OSError, RecursionError)
"""What comes of values of other kinds than were written."""
_TERMS = {"fitness": "fitness F", "N": "kept weights N", "macs": "kept MACs"}
"""Of an individual, beside its losses."""
_SCORED = {"best": "best individual", "original": "the original itself", "inputs": "untouched input"}


@cache
def templates() -> "Environment":
    """Those of ``assets``. Whatever they are given and is no markup is escaped, and cleaned of what plays
    tricks."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    def shown(value: object) -> object:
        return value if hasattr(value, "__html__") else clean(str(value))

    return Environment(
        loader=PackageLoader("ganprune.report", "assets"), autoescape=True, undefined=StrictUndefined,
        finalize=shown, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip


def render(name: str, *values: object) -> Markup:
    """What a macro of parts.html makes of values."""
    return getattr(templates().get_template("parts.html").module, name)(*values)


@dataclass(frozen=True, slots=True)
class PagePart:
    """One part of the page."""

    key: str  # its address within the page
    title: str
    content: Markup


@dataclass(frozen=True, slots=True)
class Parts:
    """Makes the parts of one run's report."""

    run: Run
    reporter: Reporter
    _told: set[str] = field(default_factory=set[str])

    def first(self) -> Markup:
        """The first screen: of each slim generator a picture, its speed, size and quality."""
        cards = [
            {
                "name": f"G_{side}",
                "direction": self._direction(side),
                "picture": self._guarded("Before and after", partial(self._picture, side)),
                "facts": [
                    *_several(self._guarded("Quality", partial(self._quality_fact, side))),
                    *_several(self._guarded("Size and speed", partial(self._speed_facts, side))),
                ],
            }
            for side in of_run.sides_of(self.run)
        ]
        advice = self._guarded("Quality", self._advice)
        said = what_was_done(self.run.config, of_run.sides_of(self.run))
        return render("first", said, cards, "" if isinstance(advice, Markup) else advice)

    def folded(self) -> list[PagePart]:
        """All others, in order; those that there is nothing to show for are left out."""
        makers: dict[str, Callable[[], Markup | None]] = {
            "Before and after": self._pictures, "Size and speed": self._speed, "Quality": self._quality,
            "Time by operator": self._operators, "Layers": self._layers, "First-layer filters": self._filters,
            "Search": self._search, "Fine-tuning": self._tuning, "Settings": self._settings,
            "Provenance": self._provenance, "Do it again": self._repeat,
        }  # fmt: skip
        found = [(make.__name__[1:], title, self._guarded(title, make)) for title, make in makers.items()]
        return [PagePart(key, title, content) for key, title, content in found if content]

    def _guarded(self, title: str, make: Callable[[], Any]) -> Any:
        """What ``make`` makes, or a line on what is wrong with its files: those may be older, cut short, or
        someone else's."""
        try:
            return make()
        except GanpruneError as error:
            problem = str(error)
        except _DAMAGE as error:
            problem = f"its files are not as ganprune writes them ({type(error).__name__}: {error})"
        if problem not in self._told:
            self._told.add(problem)
            self.reporter.warn(f"report, {title}: {problem}")
        return render("missing", problem)

    def _direction(self, side: Domain) -> str:
        names = domain_names(self.run)
        return f"{names[side]} to {names[OTHER[side]]}"

    def _picture(self, side: Domain) -> Markup:
        rows = [row for row in of_run.comparisons_of(self.run) if row.side == side]
        return render("card", _card(rows[0], 1) | {"untuned": None})

    def _speed_facts(self, side: Domain) -> list[dict[str, str]]:
        """How much faster and smaller, in the fewest threads."""
        timed = of_run.json_of(self.run / "bench.json", dict[str, Any])
        if timed is None:
            command = command_line("bench", "--cpu", self.run.folder)
            return [_fact("Speed", "?", "not timed yet", command=command)]
        networks = {net["name"]: net for net in timed["networks"]}
        net = networks.get(f"G_{side}")
        before = networks.get(net["against"]) if net else None
        if net is None or before is None:
            return []
        threads = min(row["threads"] for row in timed["timings"])
        ms = {row["network"]: row for row in timed["timings"] if row["threads"] == threads}
        row = ms[net["name"]]
        slow, fast = (float(ms[n["name"]]["median_ms"]) for n in (before, net))
        whole, slim = float(before["mebibytes"]), float(net["mebibytes"])
        value, low, high = (float(row["speedup"][key]) for key in ("value", "low", "high"))
        note = (
            f"times as fast as the original as PyTorch exports it: {milliseconds(slow)} → "
            f"{milliseconds(fast)} a picture in ONNX Runtime, {in_threads(threads)}"
        )
        if row.get("over_rewritten"):
            over = float(row["over_rewritten"]["value"])
            note += f"; {over:.2f} times as fast as the original with the same graph rewrites"
        facts = [
            _fact("Speed", f"{plus_minus(value, (high - low) / 2)}×", note, how="good" if low > 1 else ""),
            _fact("Size", f"{whole / slim:.1f}× smaller", f"{whole:.2f} → {slim:.2f} MiB of float32 weights"),
        ]
        if (fewer := net["theoretical_speedup"]) and net["macs_true"]:
            giga = [f"{n['macs_true'] / 1e9:.2f}" for n in (before, net)]
            note = f"{' → '.join(giga)} G true MACs a picture"
            facts.append(_fact("Arithmetic", f"{float(fewer):.1f}× fewer MACs", note))
        return facts

    def _quality_fact(self, side: Domain) -> list[dict[str, str]]:
        """How near the slim network's pictures are to the original's, as far as the run's files say."""
        found = of_run.distance_of(self.run, side)
        if found is None:
            return []
        apart = psnr(found.slim)
        value = "identical" if apart is None else f"{apart:.1f} dB"
        note = f"PSNR to the original's pictures, L_GenA {found.slim:.4g}; {found.source}"
        if not found.inputs:
            return [_fact("Quality", value, note)]
        note += f". The untouched input: {psnr(found.inputs):.1f} dB"
        said = found.verdict or (telling.WORSE if found.slim >= found.inputs else "")
        told = (
            {"verdict": said.capitalize(), "how": "bad" if said == telling.WORSE else "plain"} if said else {}
        )
        return [_fact("Quality", value, note, **told)]

    def _advice(self) -> str:
        found = of_run.json_of(self.run / of_run.QUALITY, telling.Quality)
        return "" if found is None else telling.quality_advice(found)

    def _pictures(self) -> Markup:
        rows = of_run.comparisons_of(self.run)
        sides = dict[str, list[dict[str, Any]]]()
        for row in sorted(rows, key=lambda row: row.side):
            cards = sides.setdefault(f"G_{row.side}: {self._direction(row.side)}", [])
            cards.append(_card(row, len(cards) + 1))
        return render("pictures", sides)

    def _speed(self) -> Markup | None:
        if (timed := of_run.json_of(self.run / "bench.json", Timed)) is None:
            return None
        networks = {net["name"]: net for net in timed["networks"]}
        order = {name: str(net["against"] or name) for name, net in networks.items()}
        bars = [
            bar_chart(f"Median ms a picture, {in_threads(threads)}", [
                Bar(str(row["network"]), float(row["median_ms"]), milliseconds(float(row["median_ms"])),
                    float(row["p10_ms"]), float(row["p90_ms"]))
                for row in sorted(timed["timings"], key=lambda row: order[row["network"]])
                if row["threads"] == threads
            ])
            for threads in timed["settings"]["threads"]
        ]  # fmt: skip
        tables = [
            Table(part["title"], part["headings"], part["rows"], detail=part.get("detail", False))
            for part in timed["tables"]
            if not part["title"].startswith("Time by operator")
        ]
        return render("speed", timed.get("header", ""), _charts(bars), tables)

    def _quality(self) -> Markup | None:
        found = of_run.json_of(self.run / of_run.EVALUATION, telling.Evaluation)
        beside = of_run.json_of(self.run / of_run.QUALITY, telling.Quality)
        if found is None and beside is None:
            return None
        tables = [] if beside is None else [telling.quality_table(beside)]
        told = [] if beside is None else list(filter(None, [telling.quality_advice(beside)]))
        for part in found["directions"] if found else ():
            rows, shown = part["rows"], telling.columns_of(part["rows"])
            body = tuple((row["pictures"], *(telling.figure(row, key) for key in shown)) for row in rows)
            title = f"{part['network']}, {part['direction']}: {rows[0]['n_fakes']} test pictures"
            tables.append(Table(title, ("pictures", *shown.values()), body))
            told += telling.differences(rows)
        return render("quality", tables, told, found and found["features"], found and found.get("resamples"))

    def _operators(self) -> Markup | None:
        timed = of_run.json_of(self.run / "bench.json", dict[str, Any]) or {}
        if not (profiles := timed.get("profiles")):
            return None
        networks = {net["name"]: net for net in timed["networks"]}
        groups: dict[str, dict[str, dict[str, float]]] = {}
        for profile in profiles:
            name = str(profile["network"])
            group = groups.setdefault(str(networks[name]["against"] or name), {})
            group[name] = {str(kind): float(ms) for kind, ms in profile["operators"].items()}
        return _charts(operator_chart(f"{name}: ms a run", [g]) for name, g in groups.items())

    def _layers(self) -> Markup:
        diagrams = [
            widths_diagram(f"G_{side}", *of_run.widths_of(self.run, side))
            for side in of_run.sides_of(self.run)
        ]
        return render("layers", _charts(diagrams))

    def _filters(self) -> Markup:
        layers = [of_run.first_layer_of(self.run, side) for side in of_run.sides_of(self.run)]
        sentences = [f"{layer.network}: {told}" for layer in layers for told in layer.sentences()]
        drawn = _charts(chart for layer in layers for chart in filter_panels(layer, {}))
        return render("filters", drawn, sentences)

    def _search(self) -> Markup | None:
        if not (lines := of_run.lines_of(self.run / "search.jsonl")):
            return None
        settings, last = self.run.config["settings"], lines[-1]
        losses = measured_losses(lines)
        rows, verdicts = beside_doing_nothing(lines, losses)
        title = f"At the end, generation {last['generation']}, before fine-tuning"
        table = Table(title, ("", *_TERMS.values(), *losses), tuple(rows))
        charts = _charts(search_panels(lines, meets(settings)))
        return render("search", charts, table, verdicts, settings, losses)

    def _tuning(self) -> Markup | None:
        lines = of_run.training_lines(self.run)
        return _charts(training_panels(lines)) if lines else None

    def _settings(self) -> Markup:
        config, usual = self.run.config, compress_settings(None, None, {}).to_flat()
        facts = {key: (value, usual.get(key)) for key, value in config["settings"].items()}
        changed = {key: _spelled(value) for key, (value, default) in facts.items() if value != default}
        others = {key: _spelled(value) for key, (value, default) in facts.items() if value == default}
        others |= {f"{key} (resolved)": _spelled(value) for key, value in config["resolved"].items()}
        return render("settings", changed, others)

    def _provenance(self) -> Markup:
        """Where everything came from: files with hashes, versions, stages with their times."""
        config, provenance = self.run.config, self.run.provenance
        facts = [
            ("checkpoint", config["checkpoint"]),
            ("pictures", " ".join(map(str, DataSource.of_config(config["data"]).words()))),
            *((key, provenance[key]) for key in ("created", "platform") if key in provenance),
            *((f"SHA-256 of {name}", value) for name, value in config["sha256"].items()),
        ]
        stages = [
            (name, f"{float(record['seconds']):,.1f} s", record["finished"], ", ".join(record["outputs"]))
            for name, record in provenance.get("stages", {}).items()
        ]
        versions = list(provenance.get("versions", {}).items())
        warnings = provenance.get("warnings", [])
        warned = [(w,) for w in warnings] if fits(warnings, list[str]) else []
        tables = {
            ("of what", "what"): facts, ("package", "version"): versions,
            ("stage", "took", "finished", "files"): stages, ("what was warned of",): warned,
        }  # fmt: skip
        return render("provenance", [Table("", head, tuple(rows)) for head, rows in tables.items() if rows])

    def _repeat(self) -> Markup:
        folder = self.run.folder
        again = self.run.command or command_line("compress", self.run.config["checkpoint"], "-o", folder)
        return render("repeat", [
            ("the whole job; what is finished is not done twice", again),
            ("ONNX files again", command_line("export", "--onnx", folder)),
            ("time it, and what its operators take", command_line("bench", "--cpu", "--profile", folder)),
            ("KID and PSNR on test pictures", command_line("evaluate", folder, "--features", "FILE")),
            ("this page again", command_line("report", folder)),
            ("try it in a browser, on pictures of your own", command_line("report", folder, "--serve")),
        ])  # fmt: skip


def _fact(name: str, value: str, note: str, **more: str) -> dict[str, str]:
    return {"name": name, "value": value, "note": note} | more


def _several(facts: Any) -> list[Any]:
    return [facts] if isinstance(facts, Markup) else facts


def milliseconds(ms: float) -> str:
    """``2.30 ms``, ``151.7 ms``."""
    return f"{ms:.{2 if ms < 100 else 1}f} ms"


def _card(row: of_run.PictureComparison, number: int) -> dict[str, Any]:
    """One validation picture: the input, both translations, and what the slim network made before tuning."""
    shown = {kind: _jpeg(getattr(row, kind)) for kind in ("input", "original", "slim")}
    untuned = None if row.untuned is None else _jpeg(row.untuned)
    return {"what": f"picture {number} of domain {row.side}", **shown, "untuned": untuned}


def _jpeg(pixels: Pixels) -> str:
    """A picture, uint8 [h, w, 3], as a JPEG within an address."""
    picture, buffer = Image.fromarray(pixels), io.BytesIO()
    picture.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    picture.save(buffer, "JPEG", quality=90, subsampling=0, optimize=True)
    return data_uri(buffer.getvalue(), "jpeg")


def _charts(figures: "Iterable[Figure]") -> Markup:
    """Charts, as many beside each other as fit."""
    return render("charts", [Markup(to_page(chart)) for chart in figures])


def beside_doing_nothing(
    lines: Sequence[Mapping[str, Any]], losses: Sequence[str] = LOSSES
) -> tuple[list[tuple[str, ...]], list[str]]:
    """The search's end, the original, the untouched input, by ``losses``; and whether that is beaten."""
    rows, verdicts = list[tuple[str, ...]](), list[str]()
    for side in [side for side in ("A", "B") if side in lines[-1]]:
        ended, beside = lines[-1][side], lines[0].get("controls", {}).get(side, {})
        for kind, scores in {"best": ended, **beside}.items():
            terms = (f"{float(scores[key]):.4g}" for key in (*_TERMS, *losses))
            rows.append((f"G_{side}, {_SCORED[kind]}", *terms))
        if "inputs" in beside and math.isfinite(nothing := _losses(beside["inputs"])):
            best = _losses(ended)
            how = "better" if best < nothing else "no better"
            verdicts.append(
                f"By this score G_{side}'s best individual is {how} than doing nothing: losses of "
                f"{best:.4g}, the untouched input's are {nothing:.4g}."
            )
    return rows, verdicts


def _losses(scores: Mapping[str, Any]) -> float:
    """All of 1 / F but size; an earlier ganprune, whose size was always N, does not say it."""
    F = float(scores["fitness"])
    return float(scores.get("losses", 1 / F - float(scores["N"]) if F > 0 else math.inf))


def _spelled(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
