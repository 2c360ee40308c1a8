"""train.jsonl and validation.jsonl: a JSON object of numbers a line, each with its step; and curves."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from ganprune.figures.panels import curves
from ganprune.settings.words import DOMAINS
from ganprune.storage.files import write_atomically
from ganprune.storage.plain import fits, read_lines, sound
from ganprune.training.state import TrainState

LOG = "train.jsonl"
VALIDATION = "validation.jsonl"
CURVES = "curves.svg"
_Line = Mapping[str, float]
_LOSSES = {
    "pixels, of the originals": "pixels", "maps, of the originals": "maps",
    "features, of the originals": "features", "adversarial": "G", "discriminators": "D", "cycle": "cycle",
    "identity": "idt",
}  # fmt: skip


class StepLog:
    """A file of lines, each with its step."""

    def __init__(self, path: Path, step: int) -> None:
        """Go on after ``step`` steps: lines that an interrupted training wrote beyond them are dropped.

        So is all from the first line on that is none of a log: a kill may have cut one short. Raises
        `RunError` for a file that is no log at all.
        """
        self._path = path
        with sound(path, "delete it to go on without it"):
            lines = read_lines(path)
        whole = [fits(line, dict[str, float]) and fits(line.get("step"), int) for line in lines]
        end = whole.index(False) if False in whole else len(lines)
        self.lines = [line for line in lines[:end] if line["step"] <= step]
        if path.exists():
            self._begin()

    def add(self, step: int, figures: Mapping[str, float]) -> None:
        """Write a line."""
        if not self._path.exists():
            self._begin()
        self.lines.append({"step": step, **figures})
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(self.lines[-1]) + "\n")

    def _begin(self) -> None:
        text = "".join(json.dumps(line) + "\n" for line in self.lines)
        write_atomically(self._path, text.encode(), over="own")


class TrainLog(StepLog):
    """Means of the losses over every ``every`` steps; the sums are kept in the state."""

    def __init__(self, path: Path, every: int, step: int) -> None:
        super().__init__(path, step)
        self._every = every
        if not path.exists():
            self._begin()

    def count(self, state: TrainState, losses: Mapping[str, float], lr: float) -> None:
        """Count the step that ``state`` has just made."""
        for name, value in losses.items():
            state.sums[name] = state.sums.get(name, 0.0) + value
        state.counted += 1
        if state.step % self._every == 0:
            self.finish(state, lr)

    def finish(self, state: TrainState, lr: float) -> None:
        """Write what was counted since the last line."""
        if state.counted:
            means = {name: round(total / state.counted, 6) for name, total in state.sums.items()}
            self.add(state.step, {"lr": lr} | means)
            state.sums, state.counted = {}, 0

    def recent(self, state: TrainState) -> dict[str, float]:
        """Losses for people who watch: means of a few steps, both directions together."""
        means = {k: v / state.counted for k, v in state.sums.items()} if state.counted else self.lines[-1]
        names = ("pixels", "maps", "G", "cycle", "D")
        sums = {name: [means[key] for s in DOMAINS if (key := f"{name}_{s}") in means] for name in names}
        return {name: sum(values) for name, values in sums.items() if values}


def draw_curves(path: Path, trained: Sequence[_Line], validated: Sequence[_Line]) -> None:
    """Write the lines of both logs as curves; nothing where there are none."""
    panels = {title: {f"{name}_{s}": f"{name}_{s}" for s in DOMAINS} for title, name in _LOSSES.items()}
    panels["learning rate"] = {"lr": "lr"}
    names = {name for line in validated for name in line}
    for term in ("L_GenA", "L_DisA", "L_cyc"):
        found = {
            f"G_{side}{' average' if average else ''}": f"{average}{term}_{side}"
            for side in DOMAINS
            for average in ("", "average_")
            if f"{average}{term}_{side}" in names
        }
        if found:
            panels[f"{term}, validation"] = found
    if trained:
        lines = sorted([*trained, *validated], key=lambda line: line["step"])
        write_atomically(path, curves(lines, panels).encode())
