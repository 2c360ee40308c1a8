"""Whether networks and pictures can be trained on each other."""

from ganprune.errors import CheckpointError, UsageError
from ganprune.training.networks import Networks


def check_channels(networks: Networks) -> None:
    """Raises `CheckpointError` unless all networks are for RGB pictures."""
    channels = {
        "G_A": (networks.G_A.widths.in_channels, networks.G_A.widths.out_channels),
        "G_B": (networks.G_B.widths.in_channels, networks.G_B.widths.out_channels),
        "D_A": (networks.D_A.widths.in_channels,),
        "D_B": (networks.D_B.widths.in_channels,),
    }
    for name, found in channels.items():
        if set(found) != {3}:
            raise CheckpointError(
                f"training needs networks for RGB pictures (3 channels), found {name} with "
                f"{' and '.join(map(str, found))}; give networks with 3 channels in and out"
            )


def check_shortest(networks: Networks, found: int) -> None:
    """Raises `UsageError` where pictures of ``found`` pixels are too small for a discriminator.

    The norm of D's last layer needs a map of more than one place.
    """
    widths = max((networks.D_A.widths, networks.D_B.widths), key=lambda widths: widths.smallest_picture)
    needed = widths.smallest_picture
    if found < needed:
        raise UsageError(
            f"a discriminator of {len(widths.filters)} layers needs pictures of at least {needed}×{needed}, "
            f"found {found} pixels; give a larger --size"
        )
