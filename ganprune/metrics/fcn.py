"""FCN score: whether a segmentation network sees in fakes what they were made from.

Source: Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks", CVPR 2017, section
4; measures of Long et al., "Fully Convolutional Networks for Semantic Segmentation", CVPR 2015, section 5.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ganprune.errors import DataError, InputError, UsageError
from ganprune.images import as_rgb, open_picture, resized, to_uint8
from ganprune.metrics.bootstrap import Interval, redraw
from ganprune.metrics.labels import VOID, read_labels
from ganprune.metrics.normalise import NORMALISERS
from ganprune.metrics.scores import Figure
from ganprune.onnx_files.sessions import FloatNetwork
from ganprune.reporting import SILENT, Reporter


class Segmenter:
    """A segmentation network in an ONNX file: RGB pictures → logits [n, classes, h, w]."""

    def __init__(self, path: Path, takes: str = "torchvision", threads: int = 1) -> None:
        """Load the file. takes: how its pictures are normalised, one of `NORMALISERS`.

        Raises `UsageError` for another, or if there is no such file; `InputError` if it is damaged, does
        not take float32 [n, 3, h, w], or cannot be run.
        """
        if takes not in NORMALISERS:
            raise UsageError(f"--set fcn-input must be one of {', '.join(NORMALISERS)}, found {takes!r}")
        if not path.is_file():
            raise UsageError(f"--fcn needs the ONNX file of a segmentation network, found no file {path}")
        self.path, self.takes = path, takes
        self._normalise = NORMALISERS[takes]
        self._network = FloatNetwork(
            path, threads, "float32 RGB pictures, n×3×height×width", "export it so", channels=3
        )

    def __call__(self, picture: Tensor, height: int, width: int) -> Tensor:
        """Logits [classes, height, width] of uint8 [3, h, w].

        The picture is resized, PIL's bicubic, to what the file takes, else to height × width; the logits
        bilinearly to height × width.
        """
        batch, _, rows, columns = self._network.takes.dims
        x = self._normalise(resized(picture, rows or height, columns or width)[None].float())
        output = self._network(x.repeat(batch or 1, 1, 1, 1).numpy())
        if output.ndim != 4 or output.dtype.kind != "f" or output.shape[1] < 2:
            shape = "×".join(map(str, output.shape))
            raise InputError(
                f"{self.path}: needed logits, n×classes×height×width, found {output.dtype} {shape}; "
                "export the network without its argmax"
            )
        logits = torch.from_numpy(output[:1]).float()
        if tuple(logits.shape[2:]) != (height, width):
            logits = functional.interpolate(logits, (height, width), mode="bilinear", align_corners=False)
        return logits[0]


@dataclass(frozen=True, slots=True)
class FcnScore:
    """The three measures, and what they are made of."""

    pixel_accuracy: Figure  # share of scored pixels whose class is right
    class_accuracy: Figure  # the same of each class, then the mean over classes that occur in the labels
    class_iou: Figure
    """Intersection over union of each class, then the mean over classes that occur in the labels."""
    confusion: Tensor
    """int64 [classes, classes]: pixels of a class in the label (row) that were seen as one (column)."""
    n: int  # pictures

    def to_json(self) -> dict[str, Any]:
        """As plain values, without the confusion matrix."""
        found: dict[str, Any] = {}
        for name in ("pixel_accuracy", "class_accuracy", "class_iou"):
            found |= getattr(self, name).to_json(name)
        return found | {"n_fakes": self.n, "n_classes": len(self.confusion)}


def fcn_score(
    fakes: Sequence[Path],
    labels: Sequence[Path],
    network: Segmenter,
    resamples: int = 200,
    seed: int = 0,
    reporter: Reporter = SILENT,
) -> FcnScore:
    """Of pictures and the label pictures that they were made from, in pairs.

    Intervals by bootstrap over pictures; none for ``resamples`` of 0. Raises `DataError` for a file that
    cannot be read, labels that the network has no class for, and label pictures that are none (see
    `read_labels`).
    """
    found = list[Tensor]()
    with reporter.task("segmenting", len(fakes)) as task:
        for fake, label in zip(fakes, labels, strict=True):
            truth = read_labels(label)
            logits = network(as_rgb(to_uint8(open_picture(fake, None))), *truth.shape)
            most = int(truth[truth != VOID].max())
            if most >= len(logits):
                raise DataError(
                    f"{label}: needed labels below {len(logits)}, the classes of {network.path.name}, found "
                    f"{most}; give train ids, or label pictures in cityscapes' colours"
                )
            found.append(confusion(truth, logits.argmax(0), len(logits)))
            task.advance()
    each = torch.stack(found)
    whole = measures(each.sum(0))
    intervals: list[Interval | None] = [None] * 3
    if resamples:
        generator = torch.Generator().manual_seed(seed)
        again = torch.tensor([measures(each[redraw(len(each), generator)].sum(0)) for _ in range(resamples)])
        intervals = [Interval.of(column) for column in again.T]
    pixel, accuracy, iou = (Figure(value, interval) for value, interval in zip(whole, intervals, strict=True))
    return FcnScore(pixel, accuracy, iou, each.sum(0), len(each))


def confusion(truth: Tensor, seen: Tensor, classes: int) -> Tensor:
    """int64 [classes, classes] of two label maps [h, w]; pixels that are `VOID` in ``truth`` are left out."""
    scored = truth != VOID
    pairs = truth[scored].long() * classes + seen[scored].long()
    return pairs.bincount(minlength=classes**2).reshape(classes, classes)


def measures(counts: Tensor) -> tuple[float, float, float]:
    """(pixel accuracy, class accuracy, class IoU) of a confusion matrix [classes, classes]."""
    table = counts.double()
    right, labelled, seen = table.diagonal(), table.sum(1), table.sum(0)
    occurs = labelled > 0
    accuracy = (right / labelled)[occurs].mean()
    iou = (right / (labelled + seen - right))[occurs].mean()
    return float(right.sum() / table.sum()), float(accuracy), float(iou)
