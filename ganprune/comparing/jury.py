"""Test pictures through networks, and what a feature network says of them; the same for all cells."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganprune import metrics
from ganprune.comparing.record import Figures
from ganprune.images import PictureFolders, in_channels, load_pictures, save_picture, to_float, to_uint8
from ganprune.models.traits import discriminator_input
from ganprune.pruning.fitness import l_disa
from ganprune.reporting import SILENT, Reporter
from ganprune.settings.words import OTHER, Domain
from ganprune.storage.scratch import scratch_folder
from ganprune.system.device import reproducible

LABELS: Domain = "B"
"""The domain of label maps in cityscapes; G_B draws streets from them, which a network then segments."""


@dataclass(frozen=True, slots=True)
class Jury:
    """Judges generators by the test pictures of both domains."""

    network: metrics.FeatureNetwork
    folders: PictureFolders
    size: int  # height and width that test pictures are resized to before they are translated
    device: str
    cache: Path  # a folder for features that are needed again
    fid: bool = False  # FID against real test pictures, too
    segmenter: metrics.Segmenter | None = None
    """For the FCN score of the generator that reads label maps, where test pictures are such."""
    reporter: Reporter = SILENT
    discriminators: Mapping[Domain, nn.Module] = field(default_factory=dict[Domain, nn.Module])
    """Those that are there, by the domain of the generator that each judges."""
    _pictures: dict[Domain, Tensor] = field(default_factory=dict[Domain, Tensor])
    _originals: dict[Domain, "_Drawn"] = field(default_factory=dict[Domain, "_Drawn"])
    """What the originals make of them."""

    def pictures(self, side: Domain) -> Tensor:
        """Test pictures of a domain: [n, c, size, size]."""
        if side not in self._pictures:
            paths = self.folders.pictures("test", side)
            self._pictures[side] = load_pictures(paths, self.size, self.reporter, self.folders.channels[side])
        return self._pictures[side]

    def __call__(
        self, generators: Mapping[Domain, nn.Module], originals: Mapping[Domain, nn.Module]
    ) -> Figures:
        """KID with its interval, ``as_b``, ``lost``, ``psnr`` a direction, ``L_DisA`` where there is a
        discriminator; FID and FCN where asked for."""
        found = Figures()
        for side, generator in generators.items():
            original = originals[side]
            made = self._original(side, original)
            if generator is not original:
                made = self._translated(self._ready(generator), side)
            found[side] = self._figures(side, made, original) | self._segmented(side, made.pictures)
        return found

    def inputs(self, originals: Mapping[Domain, nn.Module]) -> Figures:
        """The same of pictures that no network has touched."""
        found = Figures()
        for side, G in originals.items():
            channels = self.folders.channels[OTHER[side]]
            made = self._translated(partial(in_channels, channels=channels), side)
            # As they are: floats and back would cost them grey levels.
            exact = to_uint8(in_channels(self.pictures(side), channels))
            found[side] = self._figures(side, replace(made, pictures=exact), G)
        return found

    def mirrored(self, originals: Mapping[Domain, nn.Module]) -> Figures:
        """The same of the originals between two mirrors, see `ganprune.metrics.translations.MIRRORED`."""
        found = Figures()
        for side, G in originals.items():
            net = self._ready(G)
            made = self._translated(lambda x, net=net: net(x.flip(3)).flip(3), side)
            found[side] = self._figures(side, made, G)
        return found

    def _figures(self, side: Domain, made: "_Drawn", original: nn.Module) -> dict[str, Any]:
        source, target = self._real(side), self._real(OTHER[side])
        inputs, wanted = self._features(self.pictures(side)), self._original(side, original)
        whole = self._features(wanted.pictures)
        found = metrics.score(
            self._features(made.pictures), target, metrics.ScoreSettings(fid=self.fid),
            domains=(source, target), originals_and_inputs=(whole, inputs),
            errors=metrics.squared_errors(made.pictures, wanted.pictures),
            others={"original": whole} if made is not wanted else None,
        )  # fmt: skip
        apart = [l_disa(one, other) for one, other in zip(wanted.judged, made.judged, strict=True)]
        return found.to_json() | ({"L_DisA": sum(apart) / len(apart)} if apart else {})

    def _original(self, side: Domain, original: nn.Module) -> "_Drawn":
        """The original's translation; kept, because every cell is compared with it."""
        if side not in self._originals:
            self._originals[side] = self._translated(self._ready(original), side)
        return self._originals[side]

    def _real(self, side: Domain) -> Tensor:
        """Features of real test pictures, from the size that their files have."""
        paths = metrics.find_readable(self.folders.pictures("test", side), self.reporter)
        return metrics.cached_features(self.network, paths, folder=self.cache, reporter=self.reporter)

    def _features(self, pictures: Tensor) -> Tensor:
        return metrics.cached_features(self.network, pictures, folder=self.cache, reporter=self.reporter)

    def _ready(self, network: nn.Module) -> nn.Module:
        return copy.deepcopy(network).to(self.device).float().eval()

    @torch.inference_mode()
    def _translated(self, draw: Callable[[Tensor], Tensor], side: Domain) -> "_Drawn":
        """What becomes of the test pictures, in float32, one at a time."""
        judge = self.discriminators.get(side)
        D = None if judge is None else self._ready(judge)
        made, judged, pictures = list[Tensor](), list[Tensor](), self.pictures(side)
        with reproducible(), self.reporter.task(f"translating, G_{side}", len(pictures)) as task:
            for picture in pictures.split(1):
                x = to_float(picture).to(self.device)
                y = draw(x)
                made.append(to_uint8(y).cpu())
                judged += [] if D is None else [D(discriminator_input(D, x, y)).cpu()]
                task.advance()
        return _Drawn(torch.cat(made), tuple(judged))

    def _segmented(self, side: Domain, pictures: Tensor) -> dict[str, Any]:
        """FCN score of streets that G_B draws from label maps; empty without a segmenter."""
        if self.segmenter is None or side != LABELS:
            return {}
        labels = metrics.find_readable(self.folders.pictures("test", side), self.reporter)
        with scratch_folder() as folder:
            fakes = [folder / f"{i:05}.png" for i in range(len(labels))]
            for path, picture in zip(fakes, pictures, strict=True):
                save_picture(path, picture, over="any")
            found = metrics.fcn_score(fakes, labels, self.segmenter, resamples=0, reporter=self.reporter)
        return {"fcn": found.to_json()}


@dataclass(frozen=True, slots=True)
class _Drawn:
    pictures: Tensor  # uint8 [n, c, h, w]
    judged: tuple[Tensor, ...]  # what the discriminator says of each, as floats; empty without one
