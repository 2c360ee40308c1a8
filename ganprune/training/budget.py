"""The learning rate of a step."""

import math


def learning_rate(base: float, step: int, steps: int | None, decay: float = 0.5) -> float:
    """Constant, then linear over the last share ``decay`` of ``steps``, down to zero after the last.

    step counts from 0. While the number of steps is not known yet, the rate is still constant.
    """
    if steps is None:
        return base
    constant = steps - math.ceil(steps * decay)
    return base if step < constant else base * (steps - step) / (steps - constant)
