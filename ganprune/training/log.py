"""train.jsonl: one line every so many steps; and the same as curves to look at."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from ganprune.figures.panels import curves
from ganprune.storage.files import write_atomically
from ganprune.training.lines import whole_lines
from ganprune.training.state import TrainState
from ganprune.training.validation import panels

LOG = "train.jsonl"
CURVES = "curves.svg"
_PANELS = {
    "pixels, of the originals": {"pixels_A": "pixels_A", "pixels_B": "pixels_B"},
    "maps, of the originals": {"maps_A": "maps_A", "maps_B": "maps_B"},
    "features, of the originals": {"features_A": "features_A", "features_B": "features_B"},
    "adversarial": {"G_A": "G_A", "G_B": "G_B"},
    "discriminators": {"D_A": "D_A", "D_B": "D_B"},
    "cycle": {"cycle_A": "cycle_A", "cycle_B": "cycle_B"},
    "identity": {"idt_A": "idt_A", "idt_B": "idt_B"},
    "learning rate": {"lr": "lr"},
}


class TrainLog:
    """Means of the losses over every ``every`` steps."""

    def __init__(self, folder: Path, every: int, step: int) -> None:
        """Go on after ``step`` steps: lines that an interrupted training wrote beyond them are dropped."""
        self.folder, self.every = folder, every
        self.lines = whole_lines(folder / LOG, step)
        text = "".join(json.dumps(line) + "\n" for line in self.lines)
        write_atomically(folder / LOG, text.encode(), over="own")

    def add(self, state: TrainState, losses: dict[str, float], lr: float) -> None:
        """Count the step that ``state`` has just made; the sums are kept in it."""
        for name, value in losses.items():
            state.sums[name] = state.sums.get(name, 0.0) + value
        state.counted += 1
        if state.step % self.every == 0:
            self._write(state, lr)

    def finish(self, state: TrainState, lr: float) -> None:
        """Write what was counted since the last line."""
        if state.counted:
            self._write(state, lr)

    def draw(self, validated: Sequence[Mapping[str, float]] = ()) -> None:
        """Write curves.svg, with the lines of validation.jsonl."""
        if self.lines:
            lines = sorted([*self.lines, *validated], key=lambda line: line["step"])
            write_atomically(self.folder / CURVES, curves(lines, _PANELS | panels(validated)).encode())

    def _write(self, state: TrainState, lr: float) -> None:
        means = {name: round(total / state.counted, 6) for name, total in state.sums.items()}
        self.lines.append({"step": state.step, "lr": lr} | means)
        state.sums, state.counted = {}, 0
        with (self.folder / LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(self.lines[-1]) + "\n")
