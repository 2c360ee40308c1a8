"""All figures of one set of pictures, from features, with intervals."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ganprune.errors import DataError, UsageError
from ganprune.metrics.bootstrap import Interval, fid_interval, kid_interval, ratio_interval
from ganprune.metrics.controls import decibels, losses, votes
from ganprune.metrics.frechet import fid
from ganprune.metrics.kernel import kid


@dataclass(frozen=True, slots=True)
class ScoreSettings:
    """Which figures are computed, and how sure they are."""

    fid: bool = False  # FID, too
    resamples: int = 200  # times that pictures are drawn again for an interval; 0: no intervals
    seed: int = 0  # of the drawing

    def __post_init__(self) -> None:
        if self.resamples < 0 or self.resamples == 1:
            raise UsageError(f"--set bootstrap must be 0, or 2 or more, found {self.resamples}")


@dataclass(frozen=True, slots=True)
class Figure:
    """A number and how sure it is."""

    value: float  # from all pictures
    interval: Interval | None = None  # 95 %, by bootstrap

    def to_json(self, name: str) -> dict[str, Any]:
        """``name`` and ``name_interval``; what is no number becomes None."""
        found: dict[str, Any] = {name: _number(self.value)}
        if self.interval is not None:
            found[f"{name}_interval"] = [_number(self.interval.low), _number(self.interval.high)]
        return found


@dataclass(frozen=True, slots=True)
class PictureScores:
    """What is known of one set of pictures. None: not asked for."""

    n_fakes: int  # pictures measured
    n_real: int  # real pictures that they are compared with
    kid: Figure | None  # see `ganprune.metrics.kernel`
    fid_test: Figure | None = None  # FID against real test pictures, as the paper has it
    fid_train_test: Figure | None = None
    """FID against real training and test pictures, as GAN Compression has it."""
    as_b: Figure | None = None  # see `ganprune.metrics.controls.probe`
    lost: Figure | None = None  # see `ganprune.metrics.controls.lost`
    psnr: Figure | None = None  # see `ganprune.metrics.controls.psnr`
    truth_psnr: Figure | None = None
    """The same, from the pictures that belong to the inputs, where these come in pairs."""
    truth_l1: Figure | None = None  # mean absolute difference from those, in levels of 255
    less: Mapping[str, Mapping[str, Figure]] = field(default_factory=dict[str, Mapping[str, Figure]])
    """How much larger KID and ``lost`` are than of other networks' pictures of the same inputs, by the names
    of these."""

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        found: dict[str, Any] = {"n_fakes": self.n_fakes, "n_real": self.n_real}
        for name in ("kid", "fid_test", "fid_train_test", "as_b", "lost", "psnr", "truth_psnr", "truth_l1"):
            figure: Figure | None = getattr(self, name)
            if figure is not None:
                found |= figure.to_json(name)
        if self.less:
            less = dict[str, Any]()
            for other, figures in self.less.items():
                less[other] = {key: value for name, figure in figures.items()
                               for key, value in figure.to_json(name).items()}  # fmt: skip
            found["less"] = less
        return found


def score(
    fakes: Tensor,
    real: Tensor | None,
    settings: ScoreSettings,
    *,
    train: Tensor | None = None,
    domains: tuple[Tensor, Tensor] | None = None,
    originals_and_inputs: tuple[Tensor, Tensor] | None = None,
    errors: Tensor | None = None,
    from_truth: tuple[Tensor, Tensor] | None = None,
    others: Mapping[str, Tensor] | None = None,
) -> PictureScores:
    """From features [n, d] of fakes and of real test pictures of the same domain; None: there are none, and
    no KID nor FID.

    train: real training pictures of that domain, for the second protocol of FID. domains: real pictures of
    the other domain and of this one, for ``as_b``. originals_and_inputs: in pairs with the fakes, for
    ``lost``. errors: `squared_errors` of each picture. from_truth: those, and `absolute_errors`, from the
    picture that belongs to each input. others: by name, what other networks made of the same inputs, in
    the same order, for differences in pairs. Raises `DataError` for too few pictures, and for features
    that do not fit together.
    """
    sure, generator = settings.resamples, torch.Generator().manual_seed(settings.seed)

    def distance(real: Tensor, less: Tensor | None = None) -> Figure:
        value = kid(fakes, real) - (0 if less is None else kid(less, real))
        return Figure(value, kid_interval(fakes, real, sure, generator, less) if sure else None)

    def frechet(against: Tensor) -> Figure:
        return Figure(fid(fakes, against), fid_interval(fakes, against, sure, generator) if sure else None)

    def ratio(above: Tensor, below: Tensor) -> Figure:
        value = float(above.sum() / below.sum())
        return Figure(value, ratio_interval(above, below, sure, generator) if sure else None)

    found_kid = None if real is None else distance(real)
    as_b = lost = psnr = truth_psnr = truth_l1 = None
    less = dict[str, dict[str, Figure]]()
    if domains is not None:
        seen = votes(*domains, fakes).double()
        as_b = ratio(seen, torch.ones_like(seen))
    if originals_and_inputs is not None:
        lost = ratio(*losses(fakes, *originals_and_inputs))
    if errors is not None:
        psnr = _in_decibels(ratio(errors, torch.ones_like(errors)))
    if from_truth is not None:
        squares, sizes = (ratio(part, torch.ones_like(part)) for part in from_truth)
        truth_psnr, truth_l1 = _in_decibels(squares), sizes
    for name, theirs in (others or {}).items():
        if len(fakes) != len(theirs):
            raise DataError(
                f"needed pictures in pairs, found {len(fakes)} and {len(theirs)}; translate the same folder "
                "twice"
            )
        less[name] = {} if real is None else {"kid": distance(real, less=theirs)}
        if originals_and_inputs is not None:
            (ours, none), (rest, _) = (losses(part, *originals_and_inputs) for part in (fakes, theirs))
            less[name]["lost"] = ratio(ours - rest, none)
    fid_test = fid_train_test = None
    if settings.fid and real is not None:
        fid_test = frechet(real)
        fid_train_test = None if train is None else frechet(torch.cat([train, real]))
    return PictureScores(
        n_fakes=len(fakes), n_real=0 if real is None else len(real), kid=found_kid, fid_test=fid_test,
        fid_train_test=fid_train_test, as_b=as_b, lost=lost, psnr=psnr, truth_psnr=truth_psnr,
        truth_l1=truth_l1, less=less,
    )  # fmt: skip


def _in_decibels(error: Figure) -> Figure:
    ends = error.interval
    interval = None if ends is None else Interval(decibels(ends.high), decibels(ends.low))
    return Figure(decibels(error.value), interval)


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
