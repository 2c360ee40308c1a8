"""Networks with published weights, built by the libraries of ``ganprune[metrics]``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganprune.checkpoints.own import fitted
from ganprune.errors import UsageError
from ganprune.system.device import cpu_threads, reproducible

Kind = Literal["mobilenet_v2", "squeezenet1_1"]  # torchvision's names of the networks, up to their last maps

COUNT = "num_batches_tracked"


@dataclass(frozen=True, slots=True)
class PublishedFeatures:
    """A `FeatureNetwork` of published weights."""

    name: str  # see `FeatureNetwork`
    see: Callable[[Tensor], Tensor]  # uint8 [n, 3, h, w], RGB → [n, d], on whatever device
    threads: int = 1  # of the CPU

    @torch.inference_mode()
    def __call__(self, pictures: Tensor) -> Tensor:
        """uint8 [n, 3, h, w], RGB → float64 [n, d] on the CPU."""
        with cpu_threads(self.threads), reproducible():
            return self.see(pictures).double().cpu()


def module_of_extra(name: str) -> Any:
    """An import of what the extra brings. Raises `UsageError` where that cannot be imported."""
    package = name.partition(".")[0].replace("_", "-")
    try:
        return import_module(name)
    except ImportError as error:
        raise UsageError(
            f"these features need {package}, found that it cannot be imported ({error}); "
            "install it: pip install 'ganprune[metrics]'"
        ) from error
    except RuntimeError as error:  # torchvision's own code, of a torch from elsewhere
        raise UsageError(
            f"these features need {package}, found that its torchvision does not go with torch "
            f"{torch.__version__} ({error}); install both from one index, as https://pytorch.org says"
        ) from error


def last_map(kind: Kind, tensors: Mapping[str, Tensor], keras: bool) -> nn.Module:
    """A network up to its last map, of the widths that its tensors have: [n, 3, h, w] → [n, d, h', w'].

    keras: the weights are Keras's, whose batch norm has ε = 1e-3, and whose MobileNetV2 pads right and bottom
    only where the stride is 2. Raises `CheckpointError` for tensors that are missing or do not fit.
    """
    with torch.device("meta"):  # no weights are drawn, so no random state is touched
        net = getattr(module_of_extra("torchvision.models"), kind)().features
    counts = {name: torch.tensor(0) for name in net.state_dict() if name.endswith(COUNT)}
    own = {
        name.removeprefix("features."): tensor for name, tensor in tensors.items() if name[:9] == "features."
    }
    for module in net.modules() if keras else ():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-3
        elif isinstance(module, nn.Conv2d) and module.stride == (2, 2) and kind == "mobilenet_v2":
            module.padding = (0, 0)
            module.register_forward_pre_hook(_pad_right_bottom)
    return fitted(net, counts | own)


def _pad_right_bottom(_: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
    return functional.pad(inputs[0], (0, 1, 0, 1))
