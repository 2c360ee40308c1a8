"""What every measure asks of its features."""

from torch import Tensor

from ganprune.errors import DataError


def need(*features: Tensor, least: int = 2) -> None:
    """Raise `DataError` unless each [n, d] has n ≥ ``least``, all have the same d, and all are finite."""
    for part in features:
        if part.ndim != 2 or len(part) < least:
            raise DataError(
                f"needed at least {least} pictures on either side, found {len(part)}; give a folder with more"
            )
        if not bool(part.isfinite().all()):
            raise DataError(
                "needed features that are numbers, found NaN or infinity; check the file of features"
            )
    widths = {part.shape[1] for part in features}
    if len(widths) > 1:
        found = " and ".join(map(str, sorted(widths)))
        raise DataError(
            f"needed features of one network, found {found} numbers a picture; use one network for all"
        )
