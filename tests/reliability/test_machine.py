"""Clocks that jump, memory that runs out, GPUs that disappear, a second process."""

import ast
import os
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import ganprune
from ganprune.errors import GanpruneError
from ganprune.images.sources import Domain
from ganprune.pruning.genome import genome_key
from ganprune.runs import Run
from ganprune.scoring import LocalScorer, ScoringSettings
from ganprune.scoring.memory import Batches
from ganprune.scoring.worker import Assignment, Greeting, Reply, Worker, hardware, packed, versions
from ganprune.stages import searching
from ganprune.system.failures import device_lost, out_of_memory
from ganprune.training import Budget, loop, train
from tests.cli.conftest import Place
from tests.cli.kit import Outcome, stopped_before_export
from tests.cli.kit import ganprune as command
from tests.metrics.kit import keras_file
from tests.reliability.kit import Told, little_memory, one_line, same_files
from tests.tiny import TinyGan, random_genomes, tiny_gan
from tests.training.kit import TINY, networks, pictures, same_bits

SEARCHED = ("state.safetensors", "G_A.safetensors", "G_B.safetensors")
NO_MEMORY = "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
SOURCES = [
    path for part in ("ganprune", "cli", "exporters")
    for path in (Path(ganprune.__file__).parents[1] / part).rglob("*.py")
]  # fmt: skip


def test_a_clock_that_jumps_changes_nothing_but_time_stamps(
    place: Place, here: Path, calm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jumps = iter(range(10**6))
    monkeypatch.setattr(time, "time", lambda: 1e9 * (-1) ** next(jumps))
    monkeypatch.setattr(
        time, "gmtime", lambda *_: time.struct_time((1970 + next(jumps), 1, 1, 0, 0, 0, 3, 1, 0))
    )
    with stopped_before_export():
        assert place.compress("-o", "run").code == 130
    assert same_files(here / "run", calm, SEARCHED)
    stages = Run(here / "run").provenance["stages"]
    assert all(0 <= record["seconds"] < 1000 for record in stages.values())


def test_durations_are_measured_by_clocks_that_never_jump() -> None:
    wall = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.datetime.now"}
    found = [
        f"{path.name}: {name}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and (name := ast.unparse(node.func)) in wall
    ]
    assert found == []


def test_the_time_left_is_never_negative(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ganprune_cli import console

    monkeypatch.setattr(console, "_EVERY", 0.005)  # the thread that speaks while nothing happens speaks too
    with console.ConsoleReporter().task("work", 4, done=3) as task:
        for steps in (-1, 2) * 5:  # more than there was to do
            task.advance(steps)
            time.sleep(0.01)
    told = capsys.readouterr().err
    assert "left" in told
    assert "-" not in told


def test_a_batch_halves_itself_says_so_and_stays_small() -> None:
    told, tried = Told(), list[int]()

    def work(size: int) -> int:
        tried.append(size)
        if size > 3:
            raise RuntimeError(NO_MEMORY)
        return size

    batches = Batches(16, told)
    assert [batches.attempt(work), batches.attempt(work)] == [2, 2]
    assert tried == [16, 8, 4, 2, 2]
    assert len(told.warnings) == 3
    assert "out of memory: 2 pictures a forward pass from now on instead of 4" in told.warnings[-1]
    assert "--set batch=2" in told.warnings[-1]


@pytest.mark.parametrize("error", [RuntimeError(NO_MEMORY), MemoryError(), torch.OutOfMemoryError("CUDA")])
def test_one_picture_that_is_too_many_is_an_error(error: Exception) -> None:
    def work(size: int) -> None:
        raise error

    with pytest.raises(type(error)):
        Batches(2).attempt(work)


def test_other_errors_are_not_taken_for_a_lack_of_memory() -> None:
    tried = list[int]()

    def work(size: int) -> None:
        tried.append(size)
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes"):
        Batches(8).attempt(work)
    assert tried == [8]


def _hungry(module: torch.nn.Module, inputs: tuple[torch.Tensor]) -> None:
    torch.empty(len(inputs[0]) << 26, dtype=torch.uint8)  # 64 MiB a picture, never touched


def test_scores_of_a_search_that_ran_out_of_memory_are_those_of_the_smaller_batch() -> None:
    gan, told = tiny_gan(), Told()
    gan.judges["A"].register_forward_pre_hook(_hungry)
    pictures: dict[Domain, torch.Tensor] = {
        side: part.repeat(6, 1, 1, 1)[:12] for side, part in gan.pictures.items()
    }
    genomes = random_genomes(gan.layouts["A"], 1)

    def scorer(batch: int) -> LocalScorer:
        how = ScoringSettings(batch=batch)
        return LocalScorer(gan.inputs(how, pictures=pictures), reporter=told)

    scarce, small = scorer(12), scorer(3)
    with little_memory(320):  # five pictures of the hungry network
        found = scarce.score("A", genomes, None)
    assert len(told.warnings) == 2
    assert "out of memory: 3 pictures a forward pass from now on instead of 6" in told.warnings[1]
    wanted = small.score("A", genomes, None)
    for term in ("L_DisA", "L_GenA", "L_cyc"):
        torch.testing.assert_close(getattr(found, term), getattr(wanted, term), rtol=1e-3, atol=1e-9)


def test_a_training_without_memory_says_what_to_do_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, budget = pictures(tmp_path / "data"), Budget(6, "steps")
    wanted = train(networks(), data, TINY, budget, tmp_path / "whole")
    steps = iter((False, False, False, True))
    step = loop.Training.step

    def failing(self: loop.Training, steps_in_all: int | None) -> None:
        if next(steps):
            self.tried = self.trainer.state.step + 1
            raise RuntimeError(NO_MEMORY)
        step(self, steps_in_all)

    with monkeypatch.context() as patch:
        patch.setattr(loop.Training, "step", failing)
        with pytest.raises(
            GanpruneError, match=r"out of memory in step 4 of training on pictures of 16 pixels"
        ):
            train(networks(), data, TINY, budget, tmp_path / "out", save_seconds=0)
    got = train(networks(), data, TINY, budget, tmp_path / "out")
    assert same_bits(got.networks, wanted.networks)


class AcceleratorError(RuntimeError):
    """What PyTorch raises when a GPU fails."""


LOST = (
    AcceleratorError("CUDA error: unspecified launch failure\nCompile with TORCH_USE_CUDA_DSA"),
    RuntimeError("CUDA error: uncorrectable ECC error encountered"),
    RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
)


@pytest.mark.parametrize("error", LOST, ids=str)
def test_a_gpu_that_fails_costs_the_generation_and_nothing_else(
    place: Place, here: Path, calm: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    score, calls = LocalScorer.score, iter((False, False, False, True))

    def failing(self: LocalScorer, *given: object, **more: object) -> object:
        if next(calls):
            raise error
        return score(self, *given, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(LocalScorer, "score", failing)
        lost = place.compress("-o", "run")
    assert lost.code == 1
    line = one_line(lost.err)
    assert "error: the GPU failed (" in line
    assert "once it answers again, run again: ganprune compress" in line
    with stopped_before_export():
        assert place.compress("-o", "run").code == 130
    assert same_files(here / "run", calm, SEARCHED)


def test_a_run_that_was_begun_on_a_gpu_says_so_where_there_is_none(
    place: Place, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    config = run / "config.toml"
    settings, table, resolved = config.read_text().partition("[resolved]")
    config.write_text(settings + table + resolved.replace('device = "cpu"', 'device = "cuda"'))
    (run / "state.safetensors").unlink()
    refused = place.compress("-o", run)
    assert refused.code == 2, refused.err
    assert "--device cuda needs a CUDA device, found 0 on this machine" in one_line(refused.err)


@pytest.mark.parametrize(
    ("error", "memory", "device"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB"), True, False),
        (RuntimeError("std::bad_alloc"), True, False),
        (RuntimeError("could not create a memory object"), True, False),
        (RuntimeError("could not create a primitive"), True, False),
        (RuntimeError("could not create a primitive descriptor for a convolution"), False, False),
        (ValueError("can't allocate memory"), False, False),
        (RuntimeError("CUDA error: device-side assert triggered"), False, True),
        (RuntimeError("shape mismatch"), False, False),
    ],
    ids=str,
)
def test_failures_are_told_apart(error: Exception, memory: bool, device: bool) -> None:
    assert (out_of_memory(error), device_lost(error)) == (memory, device)


def test_a_search_without_memory_is_one_line(
    place: Place, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise RuntimeError(NO_MEMORY)

    monkeypatch.setattr(searching, "LocalScorer", failing)
    line = one_line(place.compress("-o", "run").err)
    assert "out of memory; close other programs and run the same command again, which keeps what" in line


def _compare(place: Place, run: Path) -> Outcome:
    cells = run.parent / "cells.toml"
    settings, cell = "[settings]\nsize = 32\ntarget-macs = 0.4\n", '[cells.one]\nmethod = "uniform"\n'
    cells.write_text(f"{settings}[compare]\n{cell}")
    features = keras_file(run.parent / "features.safetensors")
    return command(
        "compare",
        place.checkpoint,
        "--data",
        place.data,
        "--config",
        cells,
        "--features",
        features,
        "-o",
        run,
    )


WRITING: dict[str, Callable[[Place, Path], Outcome]] = {
    "compress": lambda place, run: place.compress("-o", run),
    "export": lambda place, run: command("export", "--onnx", run),
    "bench": lambda place, run: command("bench", "--cpu", run),
    "evaluate": lambda place, run: command("evaluate", run, "--features", place.config),
    "front": lambda place, run: command(
        "front", place.checkpoint, "--data", place.data, "--config", place.config, "-o", run
    ),
    "compare": _compare,
    "train": lambda place, run: command(
        "train", "--data", place.data, "-o", run, "--size", 32, "--set", "ngf=2"
    ),
}
READING: dict[str, Callable[[Place, Path], Outcome]] = {
    "report": lambda place, run: command("report", run, "-o", run.parent / "page.html"),
    "inspect": lambda place, run: command("inspect", run),
    "figures": lambda place, run: command("figures", run, "-o", run.parent / "figures"),
    "translate": lambda place, run: command("translate", run, place.data / "testA", "-o", run.parent / "out"),
}


@pytest.mark.parametrize("name", WRITING)
def test_a_second_process_in_a_folder_is_refused(place: Place, run: Path, name: str) -> None:
    if name == "front":  # its settings are those of no compression
        shutil.rmtree(run)
        assert WRITING[name](place, run).code == 0
    if name in ("compare", "train"):  # they do not write to a run
        run = run.with_name("other")
    with Run(run).locked():
        refused = WRITING[name](place, run)
    assert refused.code == 3, refused.err
    assert f"another ganprune is working in {run}" in one_line(refused.err)


@pytest.mark.parametrize("name", READING)
def test_commands_that_only_read_a_run_do_not_wait_for_its_lock(place: Place, run: Path, name: str) -> None:
    with Run(run).locked():
        done = READING[name](place, run)
    needs_more = name == "figures" and "needed an ONNX file" in done.err  # `run` is not exported
    assert done.code == 0 or needs_more, done.err


def test_a_batch_that_halves_in_a_worker_is_told_with_its_answer() -> None:
    gan, worker = tiny_gan(), Worker()
    gan.judges["A"].register_forward_pre_hook(_hungry)
    shown: dict[Domain, torch.Tensor] = {side: x.repeat(6, 1, 1, 1)[:12] for side, x in gan.pictures.items()}
    inputs = gan.inputs(ScoringSettings(batch=12), pictures=shown)
    ready = worker.start(versions(), "cpu", torch.get_num_threads(), packed(inputs))
    assert ready == Reply(Greeting(socket.gethostname(), os.getpid(), hardware("cpu")))
    key = genome_key(random_genomes(gan.layouts["A"], 1)[0])
    with little_memory(320):
        reply = worker.score(Assignment("A", key, b""))
    assert isinstance(reply.answer, tuple)
    assert "out of memory: 3 pictures a forward pass from now on instead of 6" in reply.warnings[-1]
    assert worker.score(Assignment("A", key, b"")) == Reply(reply.answer)


def test_tiny_networks_differ_between_batches_by_rounding_alone() -> None:
    gan: TinyGan = tiny_gan()
    genomes = random_genomes(gan.layouts["A"], 2)
    one, all_at_once = (LocalScorer(gan.inputs(ScoringSettings(batch=n))) for n in (1, 3))
    found, wanted = (each.score("A", genomes, None) for each in (one, all_at_once))
    torch.testing.assert_close(found.L_cyc, wanted.L_cyc, rtol=1e-4, atol=1e-7)
