"""MobileNetV2 up to its last map, under torchvision's tensor names.

Source: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018, table 2;
names as in ``torchvision.models.mobilenet_v2``. Weights by Keras differ from torchvision's in two points:
batch norm has ε = 1e-3, and convolutions of stride 2 are padded right and bottom only.
"""

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional

BLOCKS = 17
STRIDED = (2, 4, 7, 14)
"""Blocks that halve the map; the first convolution does so, too."""


class _Conv(nn.Module):
    """A convolution, batch norm, and ReLU6 where wanted; the names of its parts are given by the caller."""

    def __init__(self, conv: nn.Conv2d, norm: nn.BatchNorm2d, relu: bool, right_bottom: bool) -> None:
        super().__init__()
        self.conv, self.norm, self._relu = conv, norm, relu
        self._right_bottom = right_bottom and conv.stride == (2, 2)

    def forward(self, x: Tensor) -> Tensor:
        """[n, c, h, w] → [n, c', h', w']."""
        conv = self.conv
        if self._right_bottom:
            x = functional.conv2d(functional.pad(x, (0, 1, 0, 1)), conv.weight, stride=2, groups=conv.groups)
        else:
            x = conv(x)
        x = self.norm(x)
        return functional.relu6(x) if self._relu else x


class _Residual(nn.Module):
    def __init__(self, layers: list[nn.Module], sums: bool) -> None:
        super().__init__()
        self.layers, self._sums = nn.Sequential(*layers), sums

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self._sums else self.layers(x)


def mobilenet_v2(tensors: Mapping[str, Tensor], keras: bool) -> nn.Module:
    """The network of the widths that its tensors have: [n, 3, h, w] → [n, d, h / 32, w / 32].

    keras: the weights are Keras's. Raises KeyError for a tensor that is missing, ValueError or RuntimeError
    for one of another shape.
    """

    def conv(conv_key: str, norm_key: str, *, stride: int = 1, relu: bool = True) -> _Conv:
        weight = tensors[f"{conv_key}.weight"]
        filters, inputs, kernel, _ = weight.shape
        groups = filters if inputs == 1 and kernel == 3 else 1
        layer = nn.Conv2d(inputs * groups, filters, kernel, stride, kernel // 2, groups=groups, bias=False)
        layer.load_state_dict({"weight": weight})
        norm = nn.BatchNorm2d(filters, eps=1e-3 if keras else 1e-5)
        parts = ("weight", "bias", "running_mean", "running_var")
        norm.load_state_dict({part: tensors[f"{norm_key}.{part}"] for part in parts}, strict=False)
        return _Conv(layer, norm, relu, keras)

    def block(i: int) -> _Residual:
        key, stride = f"features.{i}.conv", 2 if i in STRIDED else 1
        if i == 1:  # its input is as wide as its inside: nothing to expand
            layers = [conv(f"{key}.0.0", f"{key}.0.1"), conv(f"{key}.1", f"{key}.2", relu=False)]
        else:
            layers = [
                conv(f"{key}.0.0", f"{key}.0.1"),
                conv(f"{key}.1.0", f"{key}.1.1", stride=stride),
                conv(f"{key}.2", f"{key}.3", relu=False),
            ]
        inputs, outputs = layers[0].conv.in_channels, layers[-1].conv.out_channels
        return _Residual([*layers], stride == 1 and inputs == outputs)

    last = BLOCKS + 1
    return nn.Sequential(
        conv("features.0.0", "features.0.1", stride=2),
        *(block(i) for i in range(1, last)),
        conv(f"features.{last}.0", f"features.{last}.1"),
    ).eval()
