"""Which version of a package is installed."""

from importlib.metadata import PackageNotFoundError, version


def version_of(package: str, without: str = "not installed") -> str:
    """Its version; ``without`` where it is not installed, as ganprune in a folder of its sources."""
    try:
        return version(package)
    except PackageNotFoundError:
        return without
