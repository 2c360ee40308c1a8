"""The stages of a compression, without the command line."""

import hashlib
import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from ganprune.bench import BenchSettings
from ganprune.checkpoints import NetName, load_generator, read_metadata
from ganprune.errors import RunError, UsageError
from ganprune.images import to_float
from ganprune.images.sources import DOMAINS, Domain
from ganprune.pace import Pace
from ganprune.plan import TUNE_PASSES, better_threads, plan
from ganprune.pruning.rebuild import rebuilt
from ganprune.pruning.repair import Repairer
from ganprune.report.parts import beside_doing_nothing
from ganprune.reporting import Silent, Task
from ganprune.runs import Run
from ganprune.scoring import LocalScorer, ScoringSettings
from ganprune.scoring.originals import original_removals
from ganprune.search.coevolution import CoEvolution, State
from ganprune.settings import CompressSettings, ComputeSettings
from ganprune.stages import (
    Resolved,
    check_target,
    layouts,
    picture_hash,
    rebuild_both,
    search,
    write_both,
)
from tests.tiny import TinyGan, resnet, seeded, tiny_gan, tiny_job

RESOLVED = Resolved("cpu", "float32", 1, 1)
SETTINGS = CompressSettings.from_flat(
    {"population": 4, "generations": 3, "pictures": 2, "size": 32, "budget": "0", "device": "cpu"}
)


@pytest.fixture(scope="module")
def gan() -> TinyGan:
    return tiny_gan()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / "run").mkdir()
    return Run(tmp_path / "run")


def _search(run: Run, gan: TinyGan, settings: CompressSettings = SETTINGS, **changes: Any) -> State:
    return search(tiny_job(run, gan, settings, **changes))


def _same(one: State, other: State) -> bool:
    a, b = one.to_tensors(), other.to_tensors()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def _history(run: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "search.jsonl").read_text().splitlines()]


class _Watcher:
    """A reporter that remembers, and may interrupt the search after some individuals."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.told, self.tasks, self.steps, self.stop_after = (
            list[str](),
            list[tuple[str, int, int]](),
            0,
            stop_after,
        )

    @contextmanager
    def task(self, title: str, total: int, done: int = 0) -> Generator[Task]:
        if title != "search":  # what comes before it
            with Silent().task(title, total, done) as silent:
                yield silent
            return
        self.tasks.append((title, total, done))
        yield self

    def advance(self, steps: int = 1, **figures: float | str) -> None:
        self.steps += steps
        if self.steps == self.stop_after:
            raise KeyboardInterrupt

    def info(self, message: str) -> None:
        self.told.append(message)

    def warn(self, message: str) -> None:
        self.told.append(f"warning: {message}")


def test_search_is_algorithm_1(run: Run, gan: TinyGan) -> None:
    scorer = LocalScorer(gan.inputs())
    settings = replace(SETTINGS, search=replace(SETTINGS.search, refit=False, cycle="whole"))
    *_, expected = CoEvolution(settings.search, gan.layouts, scorer).states(None)
    assert _same(_search(run, gan, settings), expected)


def test_a_search_of_refitted_networks_begins_with_the_cheapest_one(run: Run, gan: TinyGan) -> None:
    """With the widths and filters that cost least, and with scores of refitted networks."""
    targeted = replace(SETTINGS.search, target_macs=(0.5, 0.5), generations=0)
    _search(run, gan, replace(SETTINGS, search=targeted))
    state = State.from_tensors(load_file(run / "state.safetensors"))
    refitting = LocalScorer(gan.inputs(ScoringSettings(refit=True)))
    for side, layout in gan.layouts.items():
        x = to_float(gan.pictures[side])
        gone = original_removals(gan.generators[side], layout, x, None, side)
        costs = [removal.costs.numpy() for removal in gone.values()]
        widths = Repairer(layout, targeted.constraints(side)).cheapest(costs)
        first = torch.zeros(layout.length, dtype=torch.bool)
        for piece, width, removal in zip(layout.genes.values(), widths, gone.values(), strict=True):
            first[piece.start + removal.order[len(removal.order) - width :]] = True
        population = state.populations[side]
        assert torch.equal(population.genomes[0], first)
        scores = refitting.score(side, population.genomes, None)
        torch.testing.assert_close(population.L_DisA, scores.L_DisA, rtol=1e-6, atol=0)  # of other threads


@pytest.mark.parametrize("individuals", [1, 8, 13, 31])
def test_interrupted_search_goes_on_to_the_same_end(
    run: Run, gan: TinyGan, tmp_path: Path, individuals: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        _search(run, gan, reporter=_Watcher(stop_after=individuals))
    assert not run.finished("search")
    going_on = _Watcher()
    state = _search(run, gan, reporter=going_on)
    calm = Run(tmp_path)
    assert _same(state, _search(calm, gan))
    assert [line["generation"] for line in _history(run)] == [0, 1, 2, 3]
    assert [line["A"] for line in _history(run)] == [line["A"] for line in _history(calm)]
    complete = (individuals - 1) // 8  # generations that had been saved
    assert going_on.tasks == [("search", 32, 8 * complete)]
    assert going_on.steps == 32 - 8 * complete
    assert going_on.told == (
        [f"going on with the search after generation {complete - 1}"] if complete else []
    )


@pytest.mark.parametrize("workers", [None, 2])
def test_first_line_says_what_originals_and_untouched_inputs_score(
    run: Run, gan: TinyGan, workers: int | None
) -> None:
    settings = replace(SETTINGS, search=replace(SETTINGS.search, generations=0, lambda_identity=0.5),
                       compute=replace(SETTINGS.compute, workers=workers))  # fmt: skip
    _search(run, gan, settings)
    (line,) = _history(run)
    pairs: tuple[tuple[Domain, Domain], ...] = (("A", "B"), ("B", "A"))
    for side, other in pairs:
        G, back, D = gan.generators[side], gan.generators[other], gan.judges[side]
        x, y = (to_float(gan.pictures[domain]) for domain in (side, other))
        with torch.no_grad():
            wanted = G(x)
            floor = float((back(wanted) - x).square().mean())
            for kind, made, same, N in (("original", wanted, G(y), 1.0), ("inputs", x, y, 0.0)):
                l_disa, l_gena, l_cyc, l_idt = (
                    float((one - two).square().mean())
                    for one, two in ((D(wanted), D(made)), (wanted, made), (back(made), x), (same, y))
                )
                F = 1 / (N + 10 * (l_disa + 10 * max(0.0, l_cyc - floor) + 0.5 * l_idt))
                expected = {"N": N, "macs": N, "L_DisA": l_disa, "L_GenA": l_gena, "L_cyc": l_cyc,
                            "L_idt": l_idt, "fitness": F, "losses": 1 / F - N}  # fmt: skip
                assert line["controls"][side][kind] == pytest.approx(expected, rel=1e-4, abs=1e-9)


def test_controls_are_computed_once_and_kept_after_an_interruption(
    run: Run, gan: TinyGan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _search(Run(tmp_path), gan)
    with pytest.raises(KeyboardInterrupt):
        _search(run, gan, reporter=_Watcher(stop_after=13))
    monkeypatch.delattr(LocalScorer, "controls")
    _search(run, gan)
    first, *others = _history(run)
    assert first["controls"] == _history(Run(tmp_path))[0]["controls"]
    assert not any("controls" in line for line in others)


def test_report_says_whether_a_genome_beats_doing_nothing() -> None:
    def figures(F: float, N: float) -> dict[str, float]:
        return {"fitness": F, "N": N, "macs": N, "L_DisA": 0.5, "L_GenA": 0.25, "L_cyc": 0.125}

    # 1 / F - N: the best of G_A 4 - 0.25 = 3.75, of G_B 2 - 0.25 = 1.75; doing nothing 2.5 in both.
    controls = {"original": figures(0.5, 1), "inputs": figures(0.4, 0)}
    lines = [
        {"generation": 0, "controls": dict.fromkeys("AB", controls)},
        {"generation": 7, "A": figures(0.25, 0.25), "B": figures(0.5, 0.25)},
    ]  # fmt: skip
    rows, verdicts = beside_doing_nothing(lines)
    nothing = "the untouched input's are 2.5."
    assert [verdict.removeprefix("By this score ") for verdict in verdicts] == [
        f"G_A's best individual is no better than doing nothing: losses of 3.75, {nothing}",
        f"G_B's best individual is better than doing nothing: losses of 1.75, {nothing}",
    ]
    assert len(rows) == 6
    assert len({row[0] for row in rows}) == 6
    rows, verdicts = beside_doing_nothing([{"generation": 0}, lines[1]])  # as an earlier ganprune wrote it
    assert (len(rows), verdicts) == (2, [])


def test_finished_search_is_read_not_done(run: Run, gan: TinyGan, monkeypatch: pytest.MonkeyPatch) -> None:
    first = _search(run, gan)
    monkeypatch.setattr("ganprune.stages.searching.LocalScorer", None)
    assert _same(_search(run, gan), first)


def test_line_that_was_written_before_its_state_is_written_again(run: Run, gan: TinyGan) -> None:
    shorter = replace(SETTINGS, search=replace(SETTINGS.search, generations=2))
    _search(run, gan, shorter)
    history = run / "search.jsonl"
    history.write_text(history.read_text() + json.dumps({"generation": 3, "A": "of a killed process"}) + "\n")
    _search(run, gan)
    assert [line["generation"] for line in _history(run)] == [0, 1, 2, 3]
    assert isinstance(_history(run)[3]["A"], dict)


def test_state_of_other_pictures_is_refused(run: Run, gan: TinyGan) -> None:
    _search(run, gan)
    changed = {side: pictures.clone() for side, pictures in gan.pictures.items()}
    changed["B"][1, 2, 3, 4] ^= 1
    with pytest.raises(RunError, match="made with other pictures than are in the data folder now"):
        _search(run, gan, pictures=changed)


def test_search_on_a_device_that_has_gone_is_refused(run: Run, gan: TinyGan) -> None:
    with pytest.raises(UsageError, match="--device cuda:99 needs a CUDA device"):
        _search(run, gan, resolved=replace(RESOLVED, device="cuda:99"))


def test_hash_of_pictures_tells_pixels_shapes_and_sides() -> None:
    pictures: dict[Domain, Tensor] = {
        side: torch.randint(256, (2, 3, 4, 8), generator=seeded(i), dtype=torch.uint8)
        for i, side in enumerate(DOMAINS)
    }
    variants: list[dict[Domain, Tensor]] = [
        pictures,
        {"A": pictures["B"], "B": pictures["A"]},
        {"A": pictures["A"].reshape(2, 3, 8, 4), "B": pictures["B"]},
        {"A": pictures["A"] ^ 1, "B": pictures["B"]},
    ]
    assert len({picture_hash(variant) for variant in variants}) == len(variants)
    assert picture_hash(pictures) == picture_hash({side: pictures[side].clone() for side in DOMAINS})


def test_rebuilt_generators_are_those_of_the_best_genomes(run: Run, gan: TinyGan) -> None:
    state = _search(run, gan)
    slim, read_back = (rebuild_both(tiny_job(run, gan, SETTINGS), state) for _ in range(2))
    for side, layout in layouts(gan.generators, SETTINGS).items():
        expected = rebuilt(gan.generators[side], layout, state.populations[side].best_genome)
        for found in (slim[side], read_back[side], load_generator(run / f"pruned_G_{side}.safetensors")):
            assert found.widths == expected.widths
            x = gan.pictures[side].float() / 255
            torch.testing.assert_close(found(x), expected(x), rtol=0, atol=0)


def test_written_files_say_what_they_are(run: Run, gan: TinyGan) -> None:
    job, files = tiny_job(run, gan, SETTINGS), dict[NetName, Path]()
    for name in ("G_A", "G_B"):
        files[name] = run / f"{name}.original"
        files[name].write_bytes(name.encode())
    of_files = replace(job, quartet=replace(job.quartet, files=files))
    write_both(of_files, rebuild_both(job, search(job)))
    for side in DOMAINS:
        metadata = read_metadata(run / f"G_{side}.safetensors")
        assert metadata["network"] == f"G_{side}"
        assert metadata["source_sha256"] == hashlib.sha256(f"G_{side}".encode()).hexdigest()
        kept = json.loads(metadata["kept"])
        widths = resnet(load_generator(run / f"latest_net_G_{side}.pth")).widths
        assert widths.groups() == {group: len(index) for group, index in kept.items()}


def test_target_out_of_reach_is_refused_before_anything_is_done(gan: TinyGan) -> None:
    check_target(gan.generators, SETTINGS)
    target = {"target-macs": [1.0, 0.02], "align": 2}
    with pytest.raises(UsageError, match=r"--target-macs 0\.02 cannot be reached with --set align=2"):
        check_target(gan.generators, CompressSettings.from_flat(SETTINGS.to_flat() | target))


def test_auto_comes_to_what_this_machine_has() -> None:
    found = Resolved.of(ComputeSettings())
    assert found.device in ("cpu", "cuda")
    assert found.precision in ("float32", "bfloat16")
    assert found.threads >= 1
    given = Resolved.of(ComputeSettings("cpu", "float32", threads=3, batch=7))
    assert given == Resolved("cpu", "float32", 3, 7)


def test_plan_sizes_the_search_that_is_done(run: Run, gan: TinyGan) -> None:
    sketch = plan(gan.generators, gan.judges, SETTINGS, RESOLVED)
    _search(run, gan)
    assert sketch.individuals == 2 * SETTINGS.search.population * len(_history(run))
    assert list(sketch.stages) == ["search", "refit", "pictures", "export"]
    assert all(seconds > 0 for seconds in sketch.stages.values())
    assert sketch.seconds == sum(sketch.stages.values())
    assert replace(sketch, timing_seconds=20.0).seconds == 20 + sketch.seconds


PACE = Pace(original=4, slim=1, judge=0.5, exact=4, gram=8, cut=2, weigh=30, refit=6)


def _seconds(monkeypatch: pytest.MonkeyPatch, gan: TinyGan, **changes: object) -> Mapping[str, float]:
    """Of the stages, where every part takes what `PACE` says."""
    monkeypatch.setattr("ganprune.plan.pace_of", lambda *_, **__: PACE)
    settings = CompressSettings.from_flat(SETTINGS.to_flat() | changes)
    lacking = settings.recovery.recover_discriminators
    return plan(
        gan.generators, gan.judges, settings, RESOLVED, trained=100, lacking=lacking,
        bench=BenchSettings.brief(), report=True,
    ).stages  # fmt: skip


def test_plan_counts_what_every_stage_does(monkeypatch: pytest.MonkeyPatch, gan: TinyGan) -> None:
    found = _seconds(monkeypatch, gan, **{"budget": "90s", "refit-pictures": 5, "gram-pictures": 3})
    individual = 2 + 2 * (1 + 0.5 + 1)  # cut; each picture there, judged and back
    controls = 3 * 2 * (4 + 0.5)
    assert found["search"] == 2 * (4 * 4 * individual + controls + 3 * 8 + 30)
    assert found["refit"] == 2 * (2 + 2 * 4 + 5 * 6)  # cut; the original traced twice; each picture
    validations = (10 + 1) * 2 * 2 * 2 * (2 * 1 + 0.5) + 2 * 2 * (4 + 0.5)  # once before the first step
    assert found["fine-tune"] == 90 + validations
    assert list(found) == ["search", "refit", "fine-tune", "pictures", "export", "timing", "report"]
    longer = _seconds(monkeypatch, gan, budget="10steps", recipe="paper")["fine-tune"]
    shorter = _seconds(monkeypatch, gan, budget="5steps", recipe="paper")["fine-tune"]
    assert longer - shorter == 5 * TUNE_PASSES * 2 * (1 + 0.5)


def test_plan_grows_with_population_generations_and_pictures(
    monkeypatch: pytest.MonkeyPatch, gan: TinyGan
) -> None:
    def seconds(**changes: object) -> float:
        return _seconds(monkeypatch, gan, refit=False, **changes)["search"]

    once = 2 * 3 * 2 * (4 + 0.5)  # of the originals, whatever the search
    assert seconds(population=8) - once == 2 * (seconds() - once)
    assert seconds(generations=7) - once == 2 * (seconds() - once)
    assert seconds(pictures=4) == 2 * seconds()
    assert seconds(**{"lambda-identity": 1.0}) > seconds()


def test_plan_of_what_is_left_out_or_added(monkeypatch: pytest.MonkeyPatch, gan: TinyGan) -> None:
    found = _seconds(monkeypatch, gan, **{"recover-discriminators": True, "recover-budget": "7m"})
    assert found["recover"] == 420
    assert "fine-tune" not in found
    assert "refit" not in _seconds(monkeypatch, gan, **{"refit-pictures": 0})
    assert _seconds(monkeypatch, gan, **{"min-psnr": 30.0})["size"] > 9 * 2 * 2


def test_one_thread_is_taken_where_all_are_slower_and_nobody_asked(
    monkeypatch: pytest.MonkeyPatch, gan: TinyGan
) -> None:
    times = {1: (1.0, 1.0), 2: (1.3, 1.0)}
    monkeypatch.setattr("ganprune.plan.passes", lambda *args: times[args[-1].scoring_threads])
    both, free = Resolved("cpu", "float32", 2, 1), replace(SETTINGS.compute, threads=None)
    unset = replace(SETTINGS, compute=free)
    assert better_threads(gan.generators, unset, both) == (replace(both, worker_threads=1), "")
    asked = replace(SETTINGS, compute=replace(free, threads=2))
    assert better_threads(gan.generators, asked, both) == (both, "")
    times[2] = (0.9, 1.0)
    assert better_threads(gan.generators, unset, both)[0] == both
    times[1] = (1.0, 0.4)
    assert (
        better_threads(gan.generators, unset, both)[1] == "this program gets 40% of a core that it asks for"
    )
    times |= {1: (1.0, 1.0), 2: (0.9, 0.6)}  # the other core has other work
    assert "gets 60% of a core" in better_threads(gan.generators, unset, both)[1]
