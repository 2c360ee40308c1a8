"""The logs of a training as they lie on the disk: one JSON object of numbers a line, each with its step."""

from pathlib import Path
from typing import Any

from ganprune.errors import RunError
from ganprune.storage.plain import NUMBER, fits, read_lines


def whole_lines(path: Path, step: int) -> list[dict[str, Any]]:
    """The lines up to ``step``, and up to the first that is none of a log: a kill may have cut one short.

    None where the file is missing. Raises `RunError` for a file that is no log at all.
    """
    try:
        lines = read_lines(path)
    except ValueError as error:
        raise RunError(f"{path} is damaged ({error}); delete it to go on without it") from None
    whole = [fits(line, {str: NUMBER}) and fits(line, {"step": int}) for line in lines]
    end = whole.index(False) if False in whole else len(lines)
    return [line for line in lines[:end] if line["step"] <= step]
