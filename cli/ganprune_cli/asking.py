"""What commands ask for before anything slow is imported."""

from ganprune.settings.words import FEATURES, FETCH_FEATURES


def needed_features(features: str | None) -> str:
    """The network of features that was given. Raises `UsageError` where none was."""
    if features:
        return features
    from ganprune.errors import UsageError

    raise UsageError(
        f"needed a network of features, found none: give --features FILE or set {FEATURES}; "
        f"{FETCH_FEATURES}; `--features inception` is the standard one"
    )
