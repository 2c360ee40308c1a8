"""A package: torch-fidelity installs one of this name, which a folder without this file gives way to."""
