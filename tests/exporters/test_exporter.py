"""What the job asks of the exporters, and what they have."""

from ganprune.exporter import Exporter, default_exporter
from ganprune_exporters.exporter import OnnxExporter

INSTALLED: Exporter = OnnxExporter()
"""Type checkers say here whether it has all that a job asks for."""


def test_job_finds_the_installed_exporter() -> None:
    assert type(default_exporter()) is type(INSTALLED)


def test_recipe_tells_a_plain_file_from_a_rewritten_one_and_sizes_apart() -> None:
    recipes = {
        INSTALLED.recipe(size, rewritten=rewritten) for size in (32, 64) for rewritten in (True, False)
    }
    assert len(recipes) == 4
    assert INSTALLED.recipe(32, rewritten=True) == OnnxExporter().recipe(32, rewritten=True)
