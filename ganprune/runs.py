"""The run folder: everything that one ``compress`` made, resumable after any interruption.

    config.toml          what was asked for, what of it was adapted, and what ``auto`` came to
    search.jsonl         one line a generation
    state.safetensors    where the search stands
    G_A.safetensors …    slim generators, with widths, kept indices and source hash in the metadata
    latest_net_G_A.pth … the same under CycleGAN's names
    G_A.onnx …           exported; original_G_A.onnx … the originals
    bench.json           the speed-up table; profile.svg: time by operator
    rewrites.json        which rewrites are faster here, after ``export --tune``
    latency.json         milliseconds of every layer, where --target-ms was asked for
    cache/               what the originals make of the search's pictures
    race/, race.json     individuals that were trained for a while, and how they came out, with --races
    provenance.json      versions, machine, hashes, which stages are finished, and what was warned of
    .ganprune            which of these files ganprune made, see `ganprune.storage.made`

Files appear whole or not at all. A stage counts as finished while its output files are those it wrote. A run
folder may come from a stranger: whatever it holds is data, and no name in it leads out of it.
"""

import json
import platform
import shlex
import sys
import time
from collections.abc import Collection, Generator, Iterable, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypedDict, cast

import tomli_w

from ganprune.errors import RunError, UsageError
from ganprune.images import DataSource
from ganprune.reporting import SILENT, Reporter, Task
from ganprune.settings import KEYS, CompressSettings, typed
from ganprune.settings.fields import spelled
from ganprune.storage.files import Over, sha256, write_atomically
from ganprune.storage.locking import LOCK, locked
from ganprune.storage.made import RECORD, adopt, clear_half_written, half_written
from ganprune.storage.plain import fits, is_inside, known_json, read_text, read_toml, sound
from ganprune.system.hub import name_of
from ganprune.system.installed import version_of

OLDER: Mapping[str, object] = MappingProxyType(
    {"mutation": "flip", "parents": 1.0, "refit-pictures": 0, "refit": False, "cycle": "whole"}
    | {"weigh-size": "always", "gram-pictures": 0}
)
"""Settings that runs of an older ganprune did not name and that were otherwise then than by default now."""
RUNS = Path("runs")  # where runs go by default, below the working folder
LATEST = "latest"  # a file in `RUNS` that holds the name of the last run's folder
FREE = frozenset({"workers", "processes", "ray"})  # settings that change no result, or only its last bits
MOST_WARNINGS = 100  # a run keeps no more than so many
MOST_LEVELS = 20  # folders in folders of a run
_CONFIG = {"checkpoint": str, "data": str | dict[str, str], "settings": dict, "resolved": dict,
           "sha256": dict[str, str]}  # fmt: skip
"""What config.toml holds."""


class _Stage(TypedDict):
    outputs: dict[str, str]
    inputs: dict[str, str]


"""What provenance.json holds for every finished stage, and more."""


@dataclass(frozen=True, slots=True)
class Run:
    """An open run folder."""

    folder: Path

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    @property
    def config(self) -> dict[str, Any]:
        """What config.toml says. Raises `RunError` where it is missing or damaged."""
        path = self / "config.toml"
        if not path.exists():
            raise RunError(
                f"{self.folder} is no run folder: it has no config.toml; "
                "give the folder that `ganprune compress` made"
            )
        with sound(path, "start a new run with `-o` another folder"):
            config = read_toml(path)
            for key, shape in _CONFIG.items():
                if not fits(config.get(key), shape):
                    raise ValueError(f"{key} is {'not as it was written' if key in config else 'missing'}")
        return config

    @property
    def provenance(self) -> dict[str, Any]:
        """What provenance.json says; empty where it is missing or damaged (stages are then done again)."""
        found = known_json(self / "provenance.json", dict[str, Any]) or {}
        stages = found.get("stages", {})
        return found if fits(stages, dict[str, _Stage]) and all(map(is_inside, _names(stages))) else {}

    @property
    def command(self) -> str | None:
        """The command line that began the run; None where it is unknown, or no plain command of ganprune.

        It is shown to be typed again, so what a shell would take for more than words is not let through.
        """
        command = self.provenance.get("command")
        if not isinstance(command, str) or not command.isprintable():
            return None
        try:
            words = shlex.split(command)
        except ValueError:
            return None
        return command if words[:1] == ["ganprune"] and shlex.join(words) == command else None

    def finished(self, stage: str, inputs: Iterable[Path] = ()) -> dict[str, Any] | None:
        """The record of a finished stage; None: not done, or from other inputs, or an output has changed."""
        record = self.provenance.get("stages", {}).get(stage)
        if record is None or record.get("inputs") != self._hashes(inputs):
            return None
        outputs: dict[str, str] = record["outputs"]
        return record if self._hashes(self / name for name in outputs) == outputs else None

    def finish(
        self,
        stage: str,
        outputs: Iterable[Path],
        seconds: float,
        inputs: Iterable[Path] = (),
        **facts: object,
    ) -> None:
        """Record a stage as finished, with the hashes of the files it read and wrote."""
        provenance = self.provenance
        provenance.setdefault("stages", {})[stage] = facts | {
            "seconds": round(seconds, 1), "finished": _now(),
            "inputs": self._hashes(inputs), "outputs": self._hashes(outputs),
        }  # fmt: skip
        write_json(self / "provenance.json", provenance, "own")

    def keep(self, name: str, value: object) -> None:
        """Write a fact into provenance.json, once: what is there stays."""
        provenance = self.provenance
        if name not in provenance:
            write_json(self / "provenance.json", provenance | {name: value}, "own")

    def note(self, warning: str) -> None:
        """Keep a warning in provenance.json: it may say why figures differ from another run's."""
        provenance = self.provenance
        kept = provenance.setdefault("warnings", [])
        if not fits(kept, list[str]) or warning in kept or len(kept) >= MOST_WARNINGS:
            return
        kept.append(warning)
        with suppress(OSError):  # whatever is the matter with the disk, what is written next will tell
            write_json(self / "provenance.json", provenance, "own")

    def _hashes(self, paths: Iterable[Path]) -> dict[str, str]:
        """SHA-256 of files of this folder that are there, by their paths in it."""
        return {path.relative_to(self.folder).as_posix(): sha256(path) for path in paths if path.is_file()}

    @contextmanager
    def locked(self) -> Generator[None]:
        """Keep other processes out of this run.

        Raises `RunError` while one is in it, and for a folder with links in it (what is written through one
        would be written elsewhere) or with very many levels.
        """
        _refuse_odd(self.folder)
        with locked(self.folder):
            self._adopt()
            for record in self.folder.rglob(RECORD):
                clear_half_written(record.parent)
            yield

    def _adopt(self) -> None:
        """A run, a training or a comparison of an older ganprune has no record: its files are its own."""
        known = any((self / name).is_file() for name in ("provenance.json", "train.json", "original.json"))
        if not known or (self / RECORD).exists():
            return
        made = {name: digest for record in self.provenance.get("stages", {}).values()
                for name, digest in record["outputs"].items()}  # fmt: skip
        changed = [self / name for name in made if self._hashes([self / name]) != {name: made[name]}]
        adopt(self.folder, changed)


class Noting:
    """A `Reporter` whose warnings a run keeps, too."""

    def __init__(self, reporter: Reporter, run: Run) -> None:
        self._reporter, self._run = reporter, run

    def task(self, title: str, total: int, done: int = 0) -> AbstractContextManager[Task]:
        """See `Reporter.task`."""
        return self._reporter.task(title, total, done)

    def info(self, message: str) -> None:
        """See `Reporter.info`."""
        self._reporter.info(message)

    def warn(self, message: str) -> None:
        """See `Reporter.warn` and `Run.note`."""
        self._reporter.warn(message)
        self._run.note(message)


def open_run(
    folder: Path, config: Mapping[str, Any], command: str, given: Collection[str] = frozenset(KEYS)
) -> Run:
    """Start a run in ``folder``, or go on with the one that is there.

    config: ``checkpoint`` and ``data`` (paths), ``settings`` (flat), ``adapted`` (what of them was otherwise
    before `ganprune.stages.adapting`, if anything), ``resolved`` (what auto came to) and ``sha256`` of the
    networks.
    given: the settings that were asked for. Going on, the resolved values of the first start are kept, and so
    are the adapted ones that nobody asks for; the budget may change as long as no fine-tuning was begun.
    Raises `RunError` where the folder belongs to a run with other settings, or to something else.
    """
    run, config_file = Run(folder), folder / "config.toml"
    if config_file.exists():
        _refuse_other(run, _going_on(run.config, config, given))
    check_run_folder(folder)
    with run.locked():  # another process may have begun a run here in the meantime
        if not config_file.exists():
            write_atomically(config_file, tomli_w.dumps(config).encode())
        config = _going_on(run.config, config, given)
        _refuse_other(run, config)
        if run.config["settings"] != config["settings"]:
            changed = {key: config[key] for key in ("settings", "adapted") if key in config}
            changed = {key: value for key, value in run.config.items() if key != "adapted"} | changed
            write_atomically(config_file, tomli_w.dumps(changed).encode())
        if not (run / "provenance.json").exists():
            begun = {"schema": 1, "created": _now(), "command": command, **machine()}
            write_json(run / "provenance.json", begun, "own")
    return run


def check_run_folder(folder: Path) -> None:
    """Raises `RunError` for what holds no run and has no room for one."""
    if folder.is_file():
        raise RunError(f"{folder} is a file; give `-o` a folder")
    if folder.exists() and not (folder / "config.toml").exists() and not _is_free(folder):
        raise RunError(f"{folder} is not empty and holds no run; give `-o` a new or an empty folder")


def _names(stages: Mapping[str, _Stage]) -> Iterable[str]:
    """Every file that finished stages name."""
    for record in stages.values():
        yield from (*record["outputs"], *record["inputs"])


def _refuse_odd(folder: Path, levels: int = MOST_LEVELS) -> None:
    """Raises `RunError` for links, and for more levels of folders than may be walked through."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if path.is_symlink():
            raise RunError(
                f"{path} is a link; a run folder holds its own files alone: put what it leads to in its "
                "place, or remove it"
            )
        if path.is_dir():
            if not levels:
                raise RunError(
                    f"{path} is more than {MOST_LEVELS} folders deep; a run has few levels: remove it"
                )
            _refuse_odd(path, levels - 1)


def _is_free(folder: Path) -> bool:
    """Whether a folder holds nothing, or only what a start that was killed has left."""
    if not folder.is_dir():
        return False
    return {path.name for path in folder.iterdir()} <= {LOCK, RECORD, *half_written(folder)}


def _going_on(before: Mapping[str, Any], now: Mapping[str, Any], given: Collection[str]) -> dict[str, Any]:
    """``now`` with what ``before`` has adapted, where the same was asked for."""
    old, new, settings = _adapted(before), _adapted(now), dict(now["settings"])
    for key in {*old, *new} - {*given}:
        was = before["settings"].get(key)
        if was is not None and old.get(key, was) == new.get(key, settings.get(key)):
            settings[key] = was
    kept = {key: value for key, value in old.items() if key not in given}
    rest = {key: value for key, value in now.items() if key != "adapted"}
    return rest | {"settings": settings} | ({"adapted": kept} if kept else {})


def _adapted(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Flat settings as they were before they adapted."""
    found = config.get("adapted")
    return cast(Mapping[str, Any], found) if isinstance(found, dict) else {}


def _refuse_other(run: Run, config: Mapping[str, Any]) -> None:
    before, now = run.config, config
    for key in ("sha256", "data"):
        if before.get(key) != now[key]:
            words = " ".join(map(str, DataSource.of_config(before["data"]).words()))
            what = "another checkpoint" if key == "sha256" else words
            raise RunError(f"{run.folder} was made from {what}; use `-o` another folder")
    known = CompressSettings().to_flat()
    if unknown := before["settings"].keys() - known.keys() - now["settings"].keys():
        raise RunError(
            f"{run.folder} was made by another ganprune, with settings that this one does not know: "
            f"{', '.join(sorted(unknown))}; go on with it by that version, or use `-o` another folder"
        )
    settings = known | dict(OLDER) | before["settings"]
    free = FREE if (run / "fine-tune").exists() or (run / "race").exists() else {"budget", *FREE}
    changed = [f"{typed(key, settings.get(key))} (now {spelled(value)})"
               for key, value in now["settings"].items()
               if key not in free and settings.get(key) != value]  # fmt: skip
    if changed:
        raise RunError(
            f"{run.folder} was made with {', '.join(changed)}; run the same command again to go on with it, "
            "or use `-o` another folder"
        )
    try:  # what may change, here processes, must go with what the run keeps
        CompressSettings.from_flat(now["settings"])
    except UsageError as error:
        raise RunError(f"{run.folder}: {error}, and `-o` another folder") from None


def default_folder(config: Mapping[str, Any]) -> Path:
    """``runs/<checkpoint's name>-<what it is to become>-<number>``, such as runs/horse2zebra-quarter-1.

    The number is that of the run which was begun by the same command, else the first that is free.
    """
    name = name_of(Path(config["checkpoint"])) or "run"
    asked, number = _asked(config), 1
    while True:
        run = Run(RUNS / f"{name}-{_aim(asked[0])}-{number}")
        if not run.folder.exists() or _is_free(run.folder) or _asked_of(run) == asked:
            return run.folder
        number += 1


def _aim(settings: Mapping[str, Any]) -> str:
    """What a generator is to become, in a word for a folder's name."""
    words = {0.5: "half", 0.25: "quarter", 0.1: "tenth"}
    units = {"min-psnr": "db", "target-ms": "ms", "speed-up": "x", "target-macs": "pc", "target-params": "pc"}
    for key, unit in units.items():
        value = settings[key]
        if value != "none":
            first = float(value[0] if isinstance(value, list) else value)
            return words.get(first, f"{100 * first:g}pc") if unit == "pc" else f"{first:g}{unit}"
    return "slim"


_Asked = tuple[dict[str, Any], Any, Any]  # settings, hashes of the networks, and where the pictures are


def _asked(config: Mapping[str, Any]) -> _Asked:
    """What must be the same for a command to go on with a run; settings as they were before they adapted."""
    settings = {**CompressSettings().to_flat(), **config["settings"], **_adapted(config)}
    kept = {key: value for key, value in settings.items() if key not in FREE}
    return kept, config["sha256"], config["data"]


def _asked_of(run: Run) -> _Asked | None:
    try:
        return _asked(run.config)
    except RunError:
        return None


def mark_latest(run: Run, reporter: Reporter = SILENT) -> None:
    """Make ``run`` the one that `find_run` returns by default; a warning where that cannot be written."""
    folder = run.folder.resolve()
    name = folder.name if folder.parent == RUNS.resolve() else str(folder)
    try:
        write_atomically(RUNS / LATEST, f"{name}\n".encode(), "own")
    except (OSError, UsageError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or error
        reporter.warn(
            f"{RUNS / LATEST} was not written ({reason}); later commands need the run's name: {run.folder}"
        )


def is_run(path: Path) -> bool:
    """Whether a path is a run folder, or the file that names the last one."""
    return (path / "config.toml").is_file() or (path.name == "latest" and path.is_file())


def find_run(path: Path | None) -> Run:
    """The run of a folder, or the last one. Raises `UsageError` where there is none."""
    if path is None or path == RUNS / LATEST:
        latest = RUNS / LATEST
        if not latest.is_file():
            raise UsageError(
                "no run was given and there is no runs/latest here; give a run folder, "
                "or make one with `ganprune compress CKPT --data DIR`"
            )
        try:
            name = read_text(latest).strip()
        except ValueError as error:
            raise UsageError(f"{latest} is damaged ({error}); give a run folder") from None
        path = RUNS / name.replace("\0", "�")
    if not path.is_dir():
        raise UsageError(f"the run folder {path} does not exist; make one with `ganprune compress`")
    return Run(path)


def write_json(path: Path, value: object, over: Over = "unchanged") -> None:
    """Write a JSON file, whole or not at all; see `ganprune.storage.files.write_atomically`."""
    write_atomically(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode(), over)


def machine() -> dict[str, Any]:
    """Versions and hardware, for provenance."""
    import torch

    packages = ("ganprune", "torch", "onnx", "onnxruntime", "onnxsim", "numpy")
    versions = {"python": platform.python_version(), **{name: version_of(name) for name in packages}}
    return {
        # PyTorch itself tells its build (2.14.1+cu130), which the package's metadata may leave out
        "versions": versions | {"torch": str(torch.__version__)},
        "platform": platform.platform(),
        "python": sys.implementation.name,
    }


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
