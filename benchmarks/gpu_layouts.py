"""In which order of memory a GPU runs slim networks fastest, beside its best rate.

    python benchmarks/gpu_layouts.py CKPT [--sizes 256:16,128:8] [--targets 0.25,0.066]

Times one pass of a slim G_A in bfloat16, by CUDA events: NCHW as it is, and channels-last with PyTorch's
instance norm and with two others. `--sizes`: pixels:pictures.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn
from torch.nn.functional import group_norm

from ganprune.checkpoints import load_generators
from ganprune.pruning import cost
from ganprune.pruning.genome import Layout
from ganprune.pruning.rebuild import rebuilt
from ganprune.pruning.repair import Constraints, Repairer
from ganprune.system.device import reproducible

Norm = Callable[[Tensor], Tensor]


class ByMoments(nn.Module):
    """Instance norm by mean and variance, which need no other order of memory."""

    def forward(self, x: Tensor) -> Tensor:
        variance, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
        return (x - mean) * torch.rsqrt(variance + 1e-5)


class ByGroups(nn.Module):
    """Instance norm as a group norm of single channels."""

    def forward(self, x: Tensor) -> Tensor:
        return group_norm(x, x.shape[1], eps=1e-5)


def milliseconds(work: Callable[[], object], repeats: int = 20) -> float:
    """Median time on the GPU."""
    times: list[float] = []
    for i in range(repeats + 3):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        work()
        end.record()
        torch.cuda.synchronize()
        if i >= 3:
            times.append(start.elapsed_time(end))
    return median(times)


def channels_last(net: nn.Module, norm: type[nn.Module] | None) -> nn.Module:
    """Change a network's weights to channels-last order, and its instance norms to another kind."""
    for module in list(net.modules()):
        for name, child in list(module.named_children()):
            if norm is not None and isinstance(child, nn.InstanceNorm2d):
                setattr(module, name, norm())
    return net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("checkpoint", type=Path)
    args.add_argument("--sizes", default="256:16,128:8")
    args.add_argument("--targets", default="0.25,0.066")
    opt = args.parse_args()
    G = next(iter(load_generators(opt.checkpoint).values())).to("cuda", torch.bfloat16)
    layout, trunk = Layout.of(G), G.widths.trunk
    with torch.inference_mode(), reproducible():
        conv = channels_last(nn.Conv2d(trunk, trunk, 3, padding=1).to(G.model[1].weight), None)
        x = torch.randn(16, trunk, 64, 64).to("cuda", torch.bfloat16).to(memory_format=torch.channels_last)
        rate = 16 * 9 * trunk**2 * 64**2 / milliseconds(lambda: conv(x)) / 1e9
        print(f"largest residual convolution: {rate:.0f} TMAC/s\n")
        print("| MACs | pictures | order, norm | ms a pass | TMAC/s |\n|--:|--:|---|--:|--:|")
        for target in map(float, opt.targets.split(",")):
            chance = torch.Generator().manual_seed(0)
            flips = torch.rand(1, layout.length, generator=chance) < 0.5
            genome = Repairer(layout, Constraints(16, target))(flips, chance)[0]
            for size, n in ((int(a), int(b)) for a, b in (part.split(":") for part in opt.sizes.split(","))):
                macs = n * cost.macs(rebuilt(G, layout, genome), size, size, "true")
                x = torch.randn(n, 3, size, size).to("cuda", torch.bfloat16)
                for order, norm in (("NCHW", None), ("NHWC", None), ("NHWC", ByMoments), ("NHWC", ByGroups)):
                    net: nn.Module = rebuilt(G, layout, genome)
                    shown = x
                    if order == "NHWC":
                        net, shown = channels_last(net, norm), x.to(memory_format=torch.channels_last)
                    ms = milliseconds(lambda net=net, shown=shown: net(shown))
                    kind = f"{order}, {norm.__name__ if norm else 'PyTorch'}"
                    print(f"| {target:g} | {n} of {size}² | {kind} | {ms:.2f} | {macs / ms / 1e9:.1f} |")


if __name__ == "__main__":
    main()
