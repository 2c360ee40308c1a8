"""How long to train."""

import math
import re
from dataclasses import dataclass
from typing import Literal

from ganprune.errors import UsageError

_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0}


@dataclass(frozen=True, slots=True)
class Budget:
    """An amount of training. Seconds become steps once, by timing the first steps."""

    amount: float
    """How much."""
    unit: Literal["steps", "epochs", "seconds"]
    """An epoch shows every picture of the larger domain once."""

    def __post_init__(self) -> None:
        if not 0 <= self.amount < math.inf:
            raise UsageError(f"--budget must be ≥ 0, found {self.amount:g} {self.unit}")
        if self.unit == "steps" and self.amount != int(self.amount):
            raise UsageError(f"--budget must be a whole number of steps, found {self.amount:g}")

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """``20m``, ``1h30m``, ``90s``, ``5epochs``, ``500steps``, or ``0`` for none. Raises `UsageError`."""
        wanted = text.strip().lower().replace(" ", "")
        if re.fullmatch(r"0+(\.0*)?", wanted):
            return cls(0, "steps")
        counted = re.fullmatch(r"(\d+\.?\d*)(step|epoch)s?", wanted)
        if counted:
            return cls(float(counted[1]), "steps" if counted[2] == "step" else "epochs")
        short = re.sub(r"(?<=\d)(hour|hr|minute|min|second|sec)s?(?![a-z])", lambda word: word[0][0], wanted)
        if re.fullmatch(r"(\d+\.?\d*h)?(\d+\.?\d*m)?(\d+\.?\d*s)?", short) and short:
            parts = re.findall(r"(\d+\.?\d*)([hms])", short)
            return cls(sum(float(number) * _SECONDS[unit] for number, unit in parts), "seconds")
        raise UsageError(
            f"--budget must be a time such as 20m, 1h30m or 90s, or 5epochs or 500steps, or 0, found {text!r}"
        )

    def steps(self, pictures: int, batch: int) -> int | None:
        """Steps that this comes to with ``pictures`` in the larger domain; None for seconds."""
        if self.unit == "seconds" and self.amount > 0:
            return None
        per_unit = pictures / batch if self.unit == "epochs" else 1
        return math.ceil(self.amount * per_unit)
