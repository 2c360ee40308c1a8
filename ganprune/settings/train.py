"""What ``train`` is asked for beside its recipe, which is `ganprune.settings.training`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ganprune.settings.fields import check_fields, no_setting, setting
from ganprune.settings.search import TRAINING
from ganprune.settings.words import MOST_PROCESSES, MOST_THREADS

if TYPE_CHECKING:
    from ganprune.checkpoints import Own

MOST_CHANNELS = 512
"""Of pictures."""


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """How long, between which pictures, and on what."""

    recipe: dict[str, Any] = no_setting()
    """Fields of `TrainSettings` that were set."""
    own: "Own" = no_setting()
    """The user's modules that the networks of a checkpoint are of."""
    budget: str = setting("200epochs", panel=TRAINING, metavar="TIME")
    """500steps, 200epochs, or 90s, 20m, 1h30m. With --discriminators-for 5m if it is not given."""
    direction: Literal["AtoB", "BtoA"] | None = None
    """Which way a lone generator translates; default AtoB."""
    input_nc: int | None = setting(None, least=1, most=MOST_CHANNELS)
    """Channels of A's pictures; default 1 where all are grey."""
    output_nc: int | None = setting(None, least=1, most=MOST_CHANNELS)
    """Channels of B's pictures, likewise."""
    device: str = setting("auto", metavar="DEV")
    """cpu, cuda, cuda:N, or auto: cuda where there is one."""
    precision: Literal["auto", "float32", "bfloat16"] = setting("auto", metavar="P")
    """Of convolutions; auto: bfloat16 where the hardware computes it natively."""
    threads: int | None = setting(None, least=1, most=MOST_THREADS)
    """CPU threads; default all."""
    processes: int = setting(1, least=1, most=MOST_PROCESSES)
    """Train in N processes, one a GPU, each on its share of a batch."""

    def __post_init__(self) -> None:
        check_fields(self)
