import numpy as np
import torch

from ganprune.images import to_float, to_uint8

LEVELS = torch.arange(256, dtype=torch.uint8)


def test_to_float_is_to_tensor_and_normalize_to_the_last_bit():
    scaled = np.arange(256, dtype=np.float32) / np.float32(255)
    wanted = (scaled - np.float32(0.5)) / np.float32(0.5)
    assert np.array_equal(to_float(LEVELS).numpy(), wanted)
    assert torch.equal(to_float(LEVELS), LEVELS.float() / 127.5 - 1)


def test_to_uint8_writes_what_cyclegan_writes():
    values = torch.linspace(-1, 1, 100_001)
    wanted = ((values.numpy() + 1) / 2.0 * 255.0).astype(np.uint8)
    assert np.array_equal(to_uint8(values).numpy(), wanted)


def test_there_and_back_changes_no_level_by_more_than_the_one_that_truncation_costs():
    loss = LEVELS.int() - to_uint8(to_float(LEVELS)).int()
    assert set(loss.tolist()) == {0, 1}
    assert torch.equal(to_uint8(to_float(LEVELS) + 1e-6), LEVELS)


def test_values_are_truncated_not_rounded_and_clipped():
    assert to_uint8(torch.tensor([-1.5, -1.0, 0.0, 0.9999, 1.0, 2.0])).tolist() == [0, 0, 127, 254, 255, 255]
