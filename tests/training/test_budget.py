import pytest

from ganprune.errors import UsageError
from ganprune.training import Budget, learning_rate


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("20m", 1200, "seconds"), ("1h30m", 5400, "seconds"), ("90s", 90, "seconds"),
        ("1.5h", 5400, "seconds"),
        ("1h 0m 5s", 3605, "seconds"), ("5epochs", 5, "epochs"), ("0.5 epoch", 0.5, "epochs"),
        ("500steps", 500, "steps"), ("0", 0, "steps"), (" 20M ", 1200, "seconds"), ("0s", 0, "seconds"),
        ("10min", 600, "seconds"), ("2 hours", 7200, "seconds"), ("1hr 30 mins 5sec", 5405, "seconds"),
    ],
)  # fmt: skip
def test_a_budget_is_read_as_people_write_it(text, amount, unit):
    assert Budget.parse(text) == Budget(amount, unit)


@pytest.mark.parametrize("text", ["", "20", "m", "-5m", "20 minutes and a bit", "5m1h", "inf", "1e3s"])
def test_what_is_no_budget_is_refused_with_examples(text):
    with pytest.raises(UsageError, match="--budget must be a time such as 20m, 1h30m or 90s, or 5epochs"):
        Budget.parse(text)


def test_parts_of_a_step_and_negative_amounts_are_refused():
    with pytest.raises(UsageError, match=r"--budget must be a whole number of steps, found 2\.5"):
        Budget(2.5, "steps")
    with pytest.raises(UsageError, match="--budget must be ≥ 0, found -1 epochs"):
        Budget(-1, "epochs")


def test_an_epoch_shows_every_picture_of_the_larger_domain():
    assert Budget(3, "epochs").steps(pictures=10, batch=1) == 30
    assert Budget(3, "epochs").steps(pictures=10, batch=4) == 8
    assert Budget(7, "steps").steps(pictures=10, batch=4) == 7
    assert Budget(60, "seconds").steps(pictures=10, batch=4) is None
    assert Budget(0, "seconds").steps(pictures=10, batch=4) == 0


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 11])
def test_the_rate_is_constant_for_half_then_falls_evenly_and_would_next_be_zero(steps):
    rates = [learning_rate(2.0, step, steps) for step in range(steps)]
    half = steps // 2
    assert rates[: half + 1] == [2.0] * (half + 1)
    falls = [a - b for a, b in zip(rates[half:], [*rates[half + 1 :], 0.0], strict=True)]
    assert falls == pytest.approx([2.0 / (steps - half)] * len(falls))


def test_the_rate_is_the_first_while_the_number_of_steps_is_unknown():
    assert learning_rate(2.0, 5, None) == 2.0


@pytest.mark.parametrize(("decay", "constant"), [(0.0, 10), (0.2, 8), (0.9, 1)])
def test_the_last_share_of_the_steps_has_a_falling_rate(decay, constant):
    rates = [learning_rate(1.0, step, 10, decay) for step in range(10)]
    assert rates[:constant] == [1.0] * constant
    expected = [(10 - step) / (10 - constant) for step in range(constant, 10)]
    assert rates[constant:] == pytest.approx(expected)
