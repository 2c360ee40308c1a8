"""Rivals on a GPU."""

from dataclasses import replace

import pytest
import torch

from ganprune.baselines import METHODS
from tests.baselines.kit import generator_of, subject_of
from tests.skips import needs_cuda


@needs_cuda
@pytest.mark.parametrize("name", METHODS)
def test_rivals_choose_on_cuda_what_they_choose_on_a_cpu(name: str) -> None:
    """But for slimming, whose hundred steps of training magnify the rounding."""
    here, there = subject_of(generator_of()), subject_of(generator_of())
    there = replace(there, generator=there.generator.cuda(), pictures=there.pictures.cuda())
    expected, found = METHODS[name](here), METHODS[name](there)
    if name == "slimming":
        assert there.repairer.used(there.layout.gene_counts(found.genome[None]).numpy()[0]) <= 1
        return
    assert torch.equal(found.genome, expected.genome)
    for key, value in expected.network.state_dict().items():
        torch.testing.assert_close(found.network.state_dict()[key].cpu(), value, atol=1e-6, rtol=1e-4)
