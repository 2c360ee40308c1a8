"""Test pictures through networks, and what a feature network says of them; the same for all cells."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganprune.comparing.record import Figures
from ganprune.images import PictureFolders, in_channels, load_pictures, save_picture, to_float, to_uint8
from ganprune.metrics import (
    FeatureNetwork,
    ScoreSettings,
    Segmenter,
    cached_features,
    fcn_score,
    find_readable,
    score,
    squared_errors,
)
from ganprune.reporting import SILENT, Reporter
from ganprune.settings.words import OTHER, Domain
from ganprune.storage.scratch import scratch_folder
from ganprune.system.device import reproducible

LABELS: Domain = "B"
"""The domain of label maps in cityscapes; G_B draws streets from them, which a network then segments."""


@dataclass(frozen=True, slots=True)
class Jury:
    """Judges generators by the test pictures of both domains."""

    network: FeatureNetwork
    folders: PictureFolders
    size: int
    """Height and width that test pictures are resized to before they are translated."""
    device: str
    cache: Path
    """A folder for features that are needed again."""
    fid: bool = False
    """FID against real test pictures, too."""
    segmenter: Segmenter | None = None
    """For the FCN score of the generator that reads label maps, where test pictures are such."""
    reporter: Reporter = SILENT
    _pictures: dict[Domain, Tensor] = field(default_factory=dict[Domain, Tensor])
    _originals: dict[Domain, Tensor] = field(default_factory=dict[Domain, Tensor])
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
        """KID with its interval, ``as_b``, ``lost``, ``psnr`` a direction; FID and FCN where asked for."""
        found = Figures()
        for side, generator in generators.items():
            original = originals[side]
            fakes = self._original(side, original)
            if generator is not original:
                fakes = self._translated(generator, side)
            found[side] = self._figures(side, fakes, original) | self._segmented(side, fakes)
        return found

    def inputs(self, originals: Mapping[Domain, nn.Module]) -> Figures:
        """The same of pictures that no network has touched."""
        return {
            side: self._figures(side, self._inputs(side, self.folders.channels[OTHER[side]]), G)
            for side, G in originals.items()
        }

    def _inputs(self, side: Domain, channels: int) -> Tensor:
        """Test pictures that nothing has changed, as a network of so many channels would give them: uint8."""
        return to_uint8(in_channels(self.pictures(side), channels))

    def _figures(self, side: Domain, fakes: Tensor, original: nn.Module) -> dict[str, Any]:
        source, target = self._real(side), self._real(OTHER[side])
        inputs, made = self._features(self.pictures(side)), self._original(side, original)
        whole = self._features(made)
        found = score(
            self._features(fakes), target, ScoreSettings(fid=self.fid), domains=(source, target),
            originals_and_inputs=(whole, inputs), errors=squared_errors(fakes, made),
            others={"original": whole} if fakes is not made else None,
        )  # fmt: skip
        return found.to_json()

    def _original(self, side: Domain, original: nn.Module) -> Tensor:
        """The original's translation; kept, because every cell is compared with it."""
        if side not in self._originals:
            self._originals[side] = self._translated(original, side)
        return self._originals[side]

    def _real(self, side: Domain) -> Tensor:
        """Features of real test pictures, from the size that their files have."""
        paths = find_readable(self.folders.pictures("test", side), self.reporter)
        return cached_features(self.network, paths, folder=self.cache, reporter=self.reporter)

    def _features(self, pictures: Tensor) -> Tensor:
        return cached_features(self.network, pictures, folder=self.cache, reporter=self.reporter)

    @torch.inference_mode()
    def _translated(self, generator: nn.Module, side: Domain) -> Tensor:
        """What a generator makes of the test pictures, in float32, one at a time: uint8 [n, c, h, w]."""
        net, made = copy.deepcopy(generator).to(self.device).float().eval(), list[Tensor]()
        pictures = self.pictures(side)
        with reproducible(), self.reporter.task(f"translating, G_{side}", len(pictures)) as task:
            for picture in pictures.split(1):
                made.append(to_uint8(net(to_float(picture).to(self.device))).cpu())
                task.advance()
        return torch.cat(made)

    def _segmented(self, side: Domain, pictures: Tensor) -> dict[str, Any]:
        """FCN score of streets that G_B draws from label maps; empty without a segmenter."""
        if self.segmenter is None or side != LABELS:
            return {}
        labels = find_readable(self.folders.pictures("test", side), self.reporter)
        with scratch_folder() as folder:
            fakes = [folder / f"{i:05}.png" for i in range(len(labels))]
            for path, picture in zip(fakes, pictures, strict=True):
                save_picture(path, picture, over="any")
            found = fcn_score(fakes, labels, self.segmenter, resamples=0, reporter=self.reporter)
        return {"fcn": found.to_json()}
