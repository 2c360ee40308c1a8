"""What cannot be used is refused with one line and the right exit code, and nothing is written."""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from tests.cli.conftest import Place
from tests.cli.kit import LEAN, Outcome, ganprune, listing, stopped_before_export, write_pictures

G_A = "latest_net_G_A.pth"


def refusal(outcome: Outcome, code: int) -> str:
    """The one line that a command was refused with, but for what it read and adapted before."""
    before = ("reading ", "chosen to fit")
    (line,) = (line for line in outcome.err.splitlines() if not line.startswith(before))
    if line.startswith("{"):
        line = f"error: {json.loads(line)['error']}"
    assert line.startswith("error: ")
    assert outcome.code == code, line
    assert outcome.out == ""
    return line


class _RunsCode:
    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return os.mkdir, ("canary",)


def _change(file: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    tensors = torch.load(file)
    change(tensors)
    torch.save(tensors, file)


def _other_shape(tensors: dict[str, torch.Tensor]) -> None:
    tensors["model.4.weight"] = torch.zeros(8, 5, 3, 3)


def _nan(tensors: dict[str, torch.Tensor]) -> None:
    tensors["model.4.weight"][0, 0, 0, 0] = float("nan")


def _lacking(tensors: dict[str, torch.Tensor]) -> None:
    del tensors["model.4.weight"]


ZEROS, UNET = torch.zeros(4, 3, 4, 4), ("model.model.0.weight", "model.model.1.model.1.weight")
CHECKPOINTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no checkpoint": (lambda f: (f / G_A).write_text("see you later"), "no checkpoint"),
    "empty file": (lambda f: (f / G_A).write_bytes(b""), "is empty"),
    "truncated": (lambda f: (f / G_A).write_bytes((f / G_A).read_bytes()[:5000]), "truncated or damaged"),
    "U-Net": (lambda f: torch.save(dict.fromkeys(UNET, ZEROS), f / G_A), "lacks model.model.1."),
    "runs code": (lambda f: torch.save({"model.1.weight": _RunsCode()}, f / G_A), "nothing was run"),
    "lacking keys": (lambda f: _change(f / G_A, _lacking), "lacks model.4.weight"),
    "contradicting shapes": (lambda f: _change(f / G_A, _other_shape), "model.4.weight has shape 8×5×3×3"),
    "NaN": (lambda f: _change(f / G_A, _nan), "holds NaN"),
    "no networks": (lambda f: [file.unlink() for file in f.iterdir()], "no networks here"),
}


@pytest.mark.parametrize("kind", CHECKPOINTS)
def test_checkpoint_that_cannot_be_used_is_refused(place: Place, here: Path, kind: str) -> None:
    forge, told = CHECKPOINTS[kind]
    folder = Path(shutil.copytree(place.checkpoint, here / "net"))
    forge(folder)
    before = listing(here)
    assert told in refusal(
        ganprune("compress", *LEAN, "net", "--data", place.data, "--config", place.config), 3
    )
    assert listing(here) == before


@pytest.mark.parametrize("kind", ["no checkpoint", "truncated", "U-Net", "runs code", "lacking keys", "NaN"])
@pytest.mark.parametrize("command", [("inspect",), ("export", "--onnx"), ("bench", "--cpu")])
def test_other_commands_refuse_such_files_too(
    place: Place, here: Path, kind: str, command: tuple[str, ...]
) -> None:
    forge, told = CHECKPOINTS[kind]
    folder = Path(shutil.copytree(place.checkpoint, here / "net"))
    forge(folder)
    before = listing(here)
    assert told in refusal(ganprune(*command, folder / G_A), 3)
    assert listing(here) == before


def test_half_precision_checkpoint_is_read(place: Place, here: Path) -> None:
    def halve(tensors: dict[str, torch.Tensor]) -> None:
        tensors.update({name: tensor.half() for name, tensor in tensors.items()})

    folder = Path(shutil.copytree(place.checkpoint, here / "net"))
    for file in folder.iterdir():
        _change(file, halve)
    found = ganprune("compress", *LEAN, folder, "--data", place.data, "--config", place.config, "--dry-run")
    assert found.code == 0


def _unreadable(data: Path, name: str, *files: str) -> None:
    for file in files:
        (data / name / file).write_bytes(b"GIF89a, or so it says")


def _emptied(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


PICTURES: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty folders": (
        lambda d: [_emptied(d / name) for name in ("trainA", "trainB")],
        "trainA needs pictures",
    ),
    "no folders": (lambda d: [shutil.rmtree(d / name) for name in ("trainA", "trainB")], "a folder trainA"),
    "one in eight": (lambda d: _unreadable(d, "trainB", "03.png"), "1 of 8 pictures in"),
    "all": (lambda d: _unreadable(d, "trainA", *(f"{i:02}.png" for i in range(8))), "8 of 8 pictures in"),
}


@pytest.mark.parametrize("kind", PICTURES)
def test_picture_folder_that_cannot_be_used_is_refused(place: Place, here: Path, kind: str) -> None:
    damage, told = PICTURES[kind]
    damage(Path(shutil.copytree(place.data, here / "data")))
    outcome = ganprune(
        "compress", *LEAN, place.checkpoint, "--data", "data", "--config", place.config, "--quiet"
    )
    assert told in refusal(outcome, 3)
    assert not Path("runs/latest").exists()


def test_few_unreadable_pictures_are_named_and_skipped(place: Place, here: Path) -> None:
    data = write_pictures(here / "data", each=11)
    _unreadable(data, "trainA", "04.png")
    with stopped_before_export():
        found = ganprune(
            "compress", place.checkpoint, "--data", data, "--config", place.config, "-o", "run", "-q"
        )
    warnings = [line for line in found.err.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 1
    assert "04.png" in warnings[0]
    assert "1 of 11" in warnings[0]
    assert (here / "run" / "G_A.safetensors").is_file()


def test_test_pictures_play_no_part(place: Place, here: Path) -> None:
    data = Path(shutil.copytree(place.data, here / "data"))
    genomes: list[bytes] = []
    changes: tuple[Callable[[], object], ...] = (
        lambda: None,
        lambda: _unreadable(data, "testA", *(f"{i:02}.png" for i in range(8))),
        lambda: shutil.rmtree(data / "testB"),
    )
    for i, change in enumerate(changes):
        change()
        with stopped_before_export():
            ganprune(
                "compress", *LEAN, place.checkpoint, "--data", data, "--config", place.config, "-o", f"run{i}"
            )
        genomes.append((here / f"run{i}" / "state.safetensors").read_bytes())
    assert genomes[0] == genomes[1] == genomes[2]


MISUSES: dict[str, tuple[tuple[object, ...], str]] = {
    "no such checkpoint": (("compress", "nowhere", "--data", "DATA"), "nowhere does not exist"),
    "no such file": (("compress", "CKPT/nothing.pth", "--data", "DATA"), "nothing.pth does not exist"),
    "no such data": (("compress", "CKPT", "--data", "nowhere"), "--data nowhere does not exist"),
    "no data given": (("compress", "CKPT"), "give --data DIR"),
    "no such config": (("compress", "CKPT", "--data", "DATA", "--config", "x"), "--config x does not exist"),
    "config is a folder": (("compress", "CKPT", "--data", "DATA", "--config", "DATA"), "is no file"),
    "config is no TOML": (
        ("compress", "CKPT", "--data", "DATA", "--config", f"CKPT/{G_A}"), "is no TOML file"
    ),
    "no such preset": (
        ("compress", "CKPT", "--data", "DATA", "--preset", "quick"), "--preset quick is not known"
    ),
    "no CUDA": (("compress", "CKPT", "--data", "DATA", "--device", "cuda:99"), "needs a CUDA device"),
    "no such device": (("compress", "CKPT", "--data", "DATA", "--device", "tpu"), "--device must be cpu"),
    "target out of reach": (
        ("compress", "CKPT", "--data", "DATA", "--set", "align=1", "--target-macs", "0.01"),
        "--target-macs 0.01 cannot be reached",
    ),
    "export nothing": (("export", "--onnx", "nowhere"), "nowhere does not exist"),
    "export to an old opset": (("export", "--onnx", "CKPT", "--set", "opset=6"), "--set opset must be 7"),
    "export without tolerance": (("export", "--onnx", "CKPT", "--set", "atol=0"), "must be finite and above"),
    "bench nothing": (("bench", "--cpu", "nowhere"), "nowhere does not exist"),
    "bench contradiction": (("bench", "--cpu", "--provider", "CUDAExecutionProvider", "CKPT"), "contradict"),
    "bench on words": (("bench", "--threads", "all", "CKPT"), "--threads must be whole numbers"),
    "bench once": (("bench", "--set", "runs=1", "CKPT"), "must be 2 or more"),
    "inspect nothing": (("inspect", "nowhere"), "nowhere does not exist"),
    "inspect at an odd size": (("inspect", "CKPT", "--size", "30"), "must be a positive multiple of 4"),
    "output is a file": (("export", "CKPT", "-o", f"CKPT/{G_A}"), "-o needs a folder, found"),
    "table to a file": (("bench", "CKPT", "-o", f"CKPT/{G_A}"), "-o needs a folder, found the file"),
    "output names an ONNX file": (("export", "CKPT", "-o", "out/G.onnx"), "-o needs a folder, found out/"),
    "no such preset to print": (("presets", "quick"), "quick is not known"),
}  # fmt: skip


@pytest.mark.parametrize("kind", MISUSES)
def test_misuse_is_told_in_one_line(place: Place, here: Path, kind: str) -> None:
    words, told = MISUSES[kind]
    full = [str(w).replace("CKPT", str(place.checkpoint)).replace("DATA", str(place.data)) for w in words]
    assert told in refusal(ganprune(*full), 2)
    assert not list(here.iterdir())


@pytest.mark.parametrize("words", [("compress",), ("compress", "x", "--populaton", "4"), ("compres",)])
def test_wrong_words_exit_2_without_a_traceback(here: Path, words: tuple[str, ...]) -> None:
    found = ganprune(*words)
    assert found.code == 2
    assert "Usage: ganprune" in found.err
    assert "Traceback" not in found.err


def test_surprises_are_told_in_one_line(place: Place, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for error, told, code in (
        (OSError(28, "No space left on device", "runs/x"), "runs/x: the disk is full", 1),
        (PermissionError(13, "Permission denied", "runs"), "runs: Permission denied", 1),
        (MemoryError(), "out of memory", 1),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "out of memory", 1),
    ):
        monkeypatch.setattr("ganprune.stages.preparing.load_quartet", _raiser(error))
        assert told in refusal(place.compress(), code)
    monkeypatch.setattr("ganprune.stages.preparing.load_quartet", _raiser(ZeroDivisionError("1\n2")))
    found = place.compress()
    assert found.code == 1
    reading, error = found.err.splitlines()
    assert reading.startswith("reading ")
    assert error.startswith("internal error: ZeroDivisionError: 1 2; set GANPRUNE_DEBUG=1")


def test_an_interrupt_that_a_library_swallows_is_an_interrupt(
    place: Place, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def swallow(*_: object, **__: object) -> None:
        with suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
        raise RecursionError

    monkeypatch.setattr("ganprune.stages.preparing.load_quartet", swallow)
    found = place.compress()
    assert found.code == 130
    assert found.err.splitlines()[-1].startswith("interrupted; to go on, run again: ganprune compress")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def _raiser(error: Exception) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("compress", "CKPT", "--data", ""), "--data is empty"),
        (("compress", "CKPT", "--data="), "--data is empty"),
        (("translate", "CKPT", "", "-o", "out"), "PICTURES is empty"),
        (("translate", "CKPT", "DATA/testA", "-o", ""), "--output is empty"),
        (("bench", "CKPT", ""), "FILE… is empty"),
        (("inspect", "https://x.org/G.pth"), "`ganprune download --from https://x.org/G.pth`"),
        (("inspect", "https://huggingface.co/x/y"), "give hf://OWNER/NAME"),
    ],
)
def test_an_empty_path_or_an_address_is_never_taken_for_a_folder(
    place: Place, here: Path, words: tuple[str, ...], told: str
) -> None:
    full = [word.replace("CKPT", str(place.checkpoint)).replace("DATA", str(place.data)) for word in words]
    assert told in refusal(ganprune(*full), 2)
    assert not list(here.iterdir())


@pytest.mark.parametrize("words", [("--provider", "Foo"), ("--input", "nowhere")])
def test_bench_refuses_before_a_checkpoint_is_exported(
    place: Place, here: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, str]
) -> None:
    monkeypatch.setattr("ganprune_exporters.benching.export_all", _raiser(AssertionError("exported")))
    assert f"{words[0]} " in refusal(ganprune("bench", place.checkpoint, *words), 2)
