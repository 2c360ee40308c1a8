"""What commands ask for before anything slow is imported."""

import os

from ganprune.settings.words import FEATURES, FETCH_FEATURES


def features_words(given: str | None = None) -> tuple[str, ...]:
    """What a command that needs a network of features is given; nothing where the environment has one."""
    return () if os.environ.get(FEATURES) else ("--features", given or "FILE")


def needed_features(features: str | None) -> str:
    """The network of features that was given. Raises `UsageError` where none was."""
    if features:
        return features
    from ganprune.errors import UsageError

    raise UsageError(
        f"needed a network of features, found none: give --features FILE or set {FEATURES}; "
        f"{FETCH_FEATURES}; `--features inception` is the standard one"
    )
