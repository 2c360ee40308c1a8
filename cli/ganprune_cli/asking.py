"""What commands ask for before anything slow is imported."""

from ganprune.settings.words import FEATURES

WEIGHTS = "https://download.pytorch.org/models/mobilenet_v2-7ebf99e0.pth"
"""A public file that --features takes; its name holds the first digits of its SHA-256."""
KEPT = "checkpoints/mobilenet_v2-7ebf99e0/mobilenet_v2-7ebf99e0.pth"
"""Where `ganprune download` puts it."""


def needed_features(features: str | None) -> str:
    """The network of features that was given. Raises `UsageError` where none was."""
    if features:
        return features
    from ganprune.errors import UsageError

    raise UsageError(
        f"needed a network of features, found none: give --features FILE or set {FEATURES}; "
        f"`ganprune download --from {WEIGHTS}` fetches and checks one, for --features {KEPT}; "
        "`--features inception` is the standard one"
    )
