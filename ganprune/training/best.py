"""Which weights of a training are its result: those that scored best on pictures that no step sees."""

from collections.abc import Mapping

from ganprune.checkpoints import NetName
from ganprune.training.networks import Networks
from ganprune.training.settings import TrainSettings
from ganprune.training.state import Best, TrainState
from ganprune.training.validation import Validation, ValidationLog, score

GENERATORS: tuple[NetName, ...] = ("G_A", "G_B")


def validation_steps(settings: TrainSettings, steps: int) -> set[int]:
    """After which of ``steps`` steps there is a validation; the last is always one of them."""
    n = settings.validations
    return {round(steps * (i + 1) / n) for i in range(n)}


def validate(state: TrainState, validation: Validation, settings: TrainSettings, log: ValidationLog) -> None:
    """Score the generators as they are, and their averages; remember the best of each side in ``state``.

    Where neither originals teach nor averages are kept, scores are written down and choose nothing.
    """
    now, average = validation.figures(state.networks), dict[str, float]()
    tried: list[tuple[Mapping[str, float], Networks, bool]] = [(now, state.networks, False)]
    if state.averages:
        averaged = state.averaged()
        average = validation.figures(averaged)
        tried.append((average, averaged, True))
    log.add(state.step, now, average)
    taught = settings.distil is not None
    if not taught and not state.averages:
        return
    better = False
    for name in GENERATORS:
        for figures, networks, is_average in tried if name in settings.trained else ():
            found, known = score(figures, name, taught), state.best.get(name)
            if known is None or found < known.score:
                weights = getattr(networks, name).state_dict()
                kept = {key: value.detach().clone() for key, value in weights.items()}
                state.best[name] = Best(found, state.step, is_average, kept)
                better = True
    state.waited = 0 if better else state.waited + 1
