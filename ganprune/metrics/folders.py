"""Pictures to be measured: all of a folder, and which of two folders belong together."""

import re
from collections.abc import Sequence
from pathlib import Path

from ganprune.errors import DataError, UsageError
from ganprune.images.folders import pictures_below

_ENDING = re.compile(r"_(fake|real|rec)(_[AB])?$")
"""What CycleGAN's test.py and ``ganprune translate`` put behind a picture's name."""


def pictures_in(folder: Path, least: int = 2) -> tuple[Path, ...]:
    """Pictures in a folder and in folders of it, sorted by their paths below it; hidden ones are left out.

    Raises `UsageError` where it does not exist, or holds several kinds of CycleGAN's results (a_real_A.png
    beside a_fake_B.png); `DataError` for fewer than ``least``.
    """
    if not folder.exists():
        raise UsageError(f"{folder} does not exist; give a folder of pictures")
    if not folder.is_dir():
        raise DataError(f"{folder} is a file; give a folder of pictures")
    found = pictures_below(folder)
    if len(found) < least:
        raise DataError(
            f"{folder}: needed at least {least} pictures, found {len(found)}; give a folder with more"
        )
    kinds = sorted({ending[0] for path in found if (ending := _ENDING.search(path.stem))})
    if len(kinds) > 1:
        raise UsageError(
            f"{folder}: needed pictures of one kind, found *{', *'.join(kinds[:-1])} and *{kinds[-1]}; "
            "put the kind that is meant in a folder of its own"
        )
    return found


def paired(first: Sequence[Path], *others: Sequence[Path]) -> tuple[tuple[Path, ...], ...]:
    """The same files in an order in which the i-th of each are of the same picture.

    By name, less CycleGAN's endings: a_fake_B.png goes with a.jpg. Where names have nothing in common, by
    their order. Raises `DataError` where numbers differ, or only some names agree.
    """
    for other in others:
        if len(other) != len(first):
            raise DataError(
                f"needed pictures in pairs, found {len(first)} in {first[0].parent} and {len(other)} in "
                f"{other[0].parent}; give folders of the same pictures"
            )
    names = [{picture_name(path): path for path in paths} for paths in (first, *others)]
    shared = set(names[0]).intersection(*names[1:])
    if not shared:
        return (tuple(first), *(tuple(other) for other in others))
    for paths, known in zip((first, *others), names, strict=True):
        if len(known) != len(paths) or shared != set(known):
            odd = next((path for path in paths if picture_name(path) not in shared), paths[0])
            raise DataError(
                f"needed pictures in pairs, found no picture beside {odd} in every folder; "
                "give folders of the same pictures"
            )
    order = [picture_name(path) for path in first]
    return tuple(tuple(known[name] for name in order) for known in names)


def picture_name(path: Path) -> str:
    """The picture that a result is of: a of a_fake_B.png, a_real.png and a.jpg."""
    return _ENDING.sub("", path.stem)
