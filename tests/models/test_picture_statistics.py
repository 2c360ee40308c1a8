"""Batch norm by each picture's own statistics: what CycleGAN's test.py shows without --eval."""

import copy

import pytest
import torch
from torch import Tensor

from ganprune.models.cyclegan import NORMS, Generator, Norm
from ganprune.models.picture_statistics import by_picture, told_of
from tests.checkpoints.builders import assert_same, make_generator
from tests.tiny import random_pictures


def as_test_py_does(network: Generator, picture: Tensor) -> Tensor:
    """In training mode, one picture at a time."""
    return copy.deepcopy(network).train()(picture)


def test_each_picture_is_normalised_as_training_mode_normalises_it_alone() -> None:
    network, pictures = make_generator(1, norm="batch"), random_pictures(3, 3, 32, 48, dtype=torch.float32)
    wanted = torch.cat([as_test_py_does(network, picture) for picture in pictures.split(1)])
    assert (wanted - network(pictures)).abs().max() > 0.1  # what the option is for
    torch.testing.assert_close(by_picture(network)(pictures), wanted, atol=2e-5, rtol=0)


def test_the_network_given_is_left_alone() -> None:
    network = make_generator(1, norm="batch")
    by_picture(network)
    assert_same(network, make_generator(1, norm="batch"))
    assert not by_picture(network).training
    assert not any(parameter.requires_grad for parameter in by_picture(network).parameters())


@pytest.mark.parametrize("norm", [norm for norm in NORMS if norm != "batch"])
def test_other_norms_have_no_choice(norm: Norm) -> None:
    network = make_generator(1, norm=norm)
    assert by_picture(network) is network
    assert told_of({"G": network}, False) is None
    assert "in none of the networks, and changes nothing" in str(told_of({"G": network}, True))
