"""Pictures of A and of B that belong together: pix2pix's, one file with both side by side, or two folders.

The halves of a file are paths of their own, so whatever reads pictures reads them: `LeftHalf` is of A,
`RightHalf` of B.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from ganprune.errors import DataError
from ganprune.images.arrays import UnfitPicture

_Path = Path if TYPE_CHECKING else type(Path())  # before Python 3.12 only the system's own class has heirs


class Half(_Path):
    """One of the two pictures in a file; equal to no path of the whole file, nor of the other half."""

    def of(self, pixels: Tensor) -> Tensor:
        """This half of the decoded file, [c, h, w]. Raises `UnfitPicture` where its width is odd."""
        width = pixels.shape[2]
        if width % 2:
            raise UnfitPicture(f"{width} pixels wide; two pictures side by side need an even width")
        left = 0 if isinstance(self, LeftHalf) else width // 2
        return pixels[..., left : left + width // 2]

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and super().__eq__(other)

    def __hash__(self) -> int:
        return hash((type(self).__name__, super().__hash__()))


class LeftHalf(Half):
    """The picture of A."""


class RightHalf(Half):
    """The picture of B."""


def are_joined(sizes: Iterable[tuple[int, int] | None], paired: bool = False) -> bool:
    """Whether files hold two pictures each, by their widths and heights: twice as wide as high.

    None: no picture. paired: it is known that pictures come in pairs; then half as wide again is enough.
    """
    known = [size for size in sizes if size is not None]
    return bool(known) and all(
        abs(width - 2 * height) <= 1 or (paired and 2 * width >= 3 * height) for width, height in known
    )


def matched(A: Sequence[Path], B: Sequence[Path]) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Pictures of both domains so that the nth of each are a pair: those of one name, else in their order.

    Raises `DataError` where one has no partner.
    """
    if not (A and B):
        return tuple(A), tuple(B)
    by_name = {path.stem: path for path in B}
    unique = len(by_name) == len(B) and len({path.stem for path in A}) == len(A)
    common = [path for path in A if path.stem in by_name] if unique else []
    if len(A) == len(B) and len(common) in (0, len(A)):
        return tuple(A), tuple(by_name[path.stem] for path in common) or tuple(B)
    alone = next((path for path in A if common and path not in common), None)
    if alone is None and common:
        alone = next((path for path in B if path.stem not in {one.stem for one in common}), None)
    of_which = f", of which {alone.name} has no partner of its name" if alone is not None else ""
    raise DataError(
        f"pairs need as many pictures of A as of B, found {len(A)} in {A[0].parent} and {len(B)} in "
        f"{B[0].parent}{of_which}; take away what has no partner, or add it"
    )
