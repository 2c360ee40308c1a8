"""SqueezeNet 1.1 up to its last map, under torchvision's tensor names.

Source: Iandola et al., "SqueezeNet", 2016 (arXiv 1602.07360), version 1.1 of the authors' code; names as in
``torchvision.models.squeezenet1_1``.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

FIRES = (3, 4, 6, 7, 9, 10, 11, 12)
POOLED_BEFORE = (3, 6, 9)
"""Fire modules whose input is pooled first."""


class _Fire(nn.Module):
    """A few 1×1 filters, then 1×1 and 3×3 filters side by side."""

    def __init__(self, squeeze: nn.Conv2d, expand1x1: nn.Conv2d, expand3x3: nn.Conv2d) -> None:
        super().__init__()
        self.squeeze, self.expand1x1, self.expand3x3 = squeeze, expand1x1, expand3x3

    def forward(self, x: Tensor) -> Tensor:
        """[n, c, h, w] → [n, c', h, w]."""
        x = self.squeeze(x).relu()
        return torch.cat([self.expand1x1(x).relu(), self.expand3x3(x).relu()], 1)


def squeezenet1_1(tensors: Mapping[str, Tensor]) -> nn.Module:
    """The network of the widths that its tensors have: [n, 3, h, w] → [n, d, about h / 16, w / 16].

    Raises KeyError for a tensor that is missing, ValueError or RuntimeError for one of another shape.
    """

    def conv(key: str, stride: int = 1, padding: int = 0) -> nn.Conv2d:
        weight = tensors[f"{key}.weight"]
        filters, inputs, kernel, _ = weight.shape
        layer = nn.Conv2d(inputs, filters, kernel, stride, padding)
        layer.load_state_dict({"weight": weight, "bias": tensors[f"{key}.bias"]})
        return layer

    layers: list[nn.Module] = [conv("features.0", stride=2), nn.ReLU()]
    for i in FIRES:
        key = f"features.{i}"
        if i in POOLED_BEFORE:
            layers.append(nn.MaxPool2d(3, 2, ceil_mode=True))
        layers.append(
            _Fire(conv(f"{key}.squeeze"), conv(f"{key}.expand1x1"), conv(f"{key}.expand3x3", padding=1))
        )
    return nn.Sequential(*layers).eval()
