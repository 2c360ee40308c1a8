"""Whether networks and pictures can be trained on each other."""

from ganprune.checkpoints import NetName
from ganprune.errors import CheckpointError, UsageError
from ganprune.models.traits import channels_of, sees_both, smallest_picture
from ganprune.training.networks import Networks


def check_channels(networks: Networks) -> None:
    """Raises `CheckpointError` unless all networks are for RGB pictures."""
    channels: dict[NetName, tuple[int, ...]] = {
        name: channels_of(net)[: 2 if name.startswith("G") else 1] for name, net in networks.items()
    }
    for side, G, D in (("A", networks.G_A, networks.D_A), ("B", networks.G_B, networks.D_B)):
        if f"D_{side}" in channels and sees_both(D, G):  # its input's channels are told by G
            del channels["D_A" if side == "A" else "D_B"]
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
    needed = max(smallest_picture(networks.D_A), smallest_picture(networks.D_B))
    if found < needed:
        raise UsageError(
            f"a discriminator needs pictures of at least {needed}×{needed}, found {found} pixels; "
            "give a larger --size"
        )
