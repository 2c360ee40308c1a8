"""Whether networks and pictures can be trained on each other."""

from ganprune.errors import CheckpointError, UsageError
from ganprune.models.traits import smallest_picture
from ganprune.training.networks import Networks


def check_channels(networks: Networks) -> None:
    """Raises `CheckpointError` unless all networks see as many channels of the pictures of a domain."""
    try:
        _ = networks.channels
    except ValueError as error:
        raise CheckpointError(f"{error}; give networks that fit together") from None


def check_shortest(networks: Networks, found: int) -> None:
    """Raises `UsageError` where pictures of ``found`` pixels are too small for a discriminator.

    The norm of D's last layer needs a map of more than one place.
    """
    needed = max(smallest_picture(networks.D_A), smallest_picture(networks.D_B))
    if found < needed:
        raise UsageError(
            f"a discriminator needs pictures of at least {needed}×{needed}, found {found} pixels; "
            "give a larger --size"
        )
