"""Slim networks beside their original and a published rival, in one interleaved run.

    python benchmarks/speed_up.py ORIGINAL [LABEL=]SOURCE... [--peer FILE] [--threads 1] [--seconds 300]

ORIGINAL is the plain export of the original (original_G_A.onnx), or a run folder that holds it; where
original_G_A.rewritten.onnx lies beside it, that is the second baseline. A SOURCE is an ONNX file, or a run
folder: its slim G_A and all variants. --peer is latest_net_G.pth of a GAN Compression student (Li et al.,
CVPR 2020: separable residual blocks); it is built here with the weights of the file, exported as PyTorch does
it, simplified by onnxsim, and compared with PyTorch. Prints Markdown; --json FILE keeps all figures.

Every network runs in a process of its own, on noise. The last column is measured over theoretical speed-up,
by true MACs before graph rewrites.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnxruntime
import onnxsim
import torch
from torch import Tensor, nn

from ganprune.bench import BenchReport, BenchSettings, Candidate, bench
from ganprune.reporting import Silent
from ganprune.storage.tables import in_threads, plus_minus

ORIGINAL, REWRITTEN = "original_G_A.onnx", "original_G_A.rewritten.onnx"
TOLERANCE = 1e-4


class Separable(nn.Module):
    """3×3 in each channel, norm, 1×1."""

    def __init__(self, inputs: int, filters: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(inputs, inputs, 3, groups=inputs),
            nn.InstanceNorm2d(inputs),
            nn.Conv2d(inputs, filters, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class Block(nn.Module):
    """x + norm(separable(relu(norm(separable(x)))))."""

    def __init__(self, trunk: int, inner: int) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1), Separable(trunk, inner), nn.InstanceNorm2d(inner), nn.ReLU(),
            nn.Dropout(0.0),
            nn.ReflectionPad2d(1), Separable(inner, trunk), nn.InstanceNorm2d(trunk),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_block(x)


class Peer(nn.Module):
    """GAN Compression's ``mobile_resnet_9blocks``, of the widths that its weights have."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        super().__init__()

        def width(key: str, dim: int = 0) -> int:
            return weights[f"model.{key}.weight"].shape[dim]

        stem, down, trunk = width("1"), width("4"), width("7")
        blocks = sum(key.endswith("conv_block.1.conv.0.weight") for key in weights)
        up = 10 + blocks
        up1, up2 = width(f"{up}", 1), width(f"{up + 3}", 1)

        def after(filters: int) -> list[nn.Module]:
            return [nn.InstanceNorm2d(filters), nn.ReLU()]

        def wider(inputs: int, filters: int) -> nn.Module:
            return nn.ConvTranspose2d(inputs, filters, 3, stride=2, padding=1, output_padding=1)

        self.model = nn.Sequential(
            nn.ReflectionPad2d(3), nn.Conv2d(3, stem, 7), *after(stem),
            nn.Conv2d(stem, down, 3, stride=2, padding=1), *after(down),
            nn.Conv2d(down, trunk, 3, stride=2, padding=1), *after(trunk),
            *(Block(trunk, width(f"{10 + i}.conv_block.1.conv.2")) for i in range(blocks)),
            wider(trunk, up1), *after(up1), wider(up1, up2), *after(up2),
            nn.ReflectionPad2d(3), nn.Conv2d(up2, 3, 7), nn.Tanh(),
        )  # fmt: skip
        self.load_state_dict(weights, strict=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


def export_peer(source: Path, target: Path, size: int) -> None:
    """As PyTorch exports it, simplified, and compared with PyTorch."""
    peer = Peer(torch.load(source, weights_only=True)).eval()
    picture = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        wanted = peer(picture).numpy()
    program = torch.onnx.export(
        peer, (picture,), dynamo=True, opset_version=18, external_data=False, verbose=False,
        input_names=["input"], output_names=["output"],
    )  # fmt: skip
    assert program is not None
    simplified, sound = onnxsim.simplify(program.model_proto)
    assert sound
    onnx.save(simplified, target)
    session = onnxruntime.InferenceSession(target, providers=["CPUExecutionProvider"])
    found = np.asarray(session.run(None, {"input": picture.numpy()})[0])
    difference = float(np.abs(found - wanted).max())
    assert difference <= TOLERANCE, f"the rival's file differs from PyTorch by {difference}"


def files_of(source: str) -> Iterator[tuple[str, Path]]:
    """(label, file) of what a source names."""
    label, found, rest = source.partition("=")
    path, label = (Path(rest), label) if found else (Path(source), "")
    if path.is_file():
        yield label or path.stem, path
        return
    for file in sorted(path.glob("G_A*.onnx"), key=lambda file: file.stem):
        yield (label or path.name) + file.stem.removeprefix("G_A"), file


def candidates(original: Path, sources: list[str], peer: Path | None) -> list[Candidate]:
    plain = original / ORIGINAL if original.is_dir() else original
    second = plain.with_name(REWRITTEN)
    found = [Candidate("original", plain)]
    if second.is_file():
        found.append(Candidate("original, rewritten", second, "original"))
    beside = found[-1].name if second.is_file() else None
    for source in sources:
        found += [Candidate(label, file, "original", beside) for label, file in files_of(source)]
    return found + ([Candidate("GAN Compression", peer, "original", beside)] if peer else [])


def table(report: BenchReport) -> str:
    """One row a network and number of threads."""
    networks = {network.name: network for network in report.networks}
    lines = [
        "| network | threads | params | GMACs (true) | median ms | p10-p90 | over original | over rewritten "
        "| in theory | measured / theory |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for timing in report.timings:
        network, times = networks[timing.network], timing.times
        ratios = (timing.speedup, timing.over_rewritten)
        told = ["–" if ratio is None else f"{plus_minus(ratio.value, ratio.margin)}×" for ratio in ratios]
        theory, quotient, macs = timing.theoretical_speedup, timing.quotient, network.macs_true or 0
        cells = (
            timing.network, str(timing.threads), f"{network.params:,}", f"{macs / 1e9:.2f}",
            f"{times.median:.1f}", f"{times.p10:.1f}-{times.p90:.1f}", *told,
            "–" if theory is None else f"{theory:.2f}×", "–" if quotient is None else f"{quotient:.2f}",
        )  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


class Aloud(Silent):
    """Warnings go with the table."""

    def warn(self, message: str) -> None:
        print(f"warning: {message}\n")


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("original", type=Path)
    args.add_argument("sources", nargs="*")
    args.add_argument("--peer", type=Path)
    args.add_argument("--size", type=int, default=256)
    args.add_argument("--threads", type=int, nargs="+", default=[1])
    args.add_argument("--runs", type=int, default=30)
    args.add_argument("--seconds", type=float, default=300.0)
    args.add_argument("--json", type=Path)
    opt = args.parse_args()
    settings = BenchSettings(
        threads=tuple(opt.threads), runs=(opt.runs,), seconds=opt.seconds, precision=0.01, size=opt.size
    )
    with TemporaryDirectory() as folder:
        peer = Path(folder) / "peer.onnx" if opt.peer else None
        if peer is not None:
            export_peer(opt.peer, peer, opt.size)
        report = bench(candidates(opt.original, opt.sources, peer), settings, Aloud())
    runs = ", ".join(
        f"{next(t.times.runs for t in report.timings if t.threads == n)} runs in {in_threads(n)}"
        for n in settings.threads
    )
    print(f"{report.header()}; 1×3×{opt.size}×{opt.size}; {runs}\n\n{table(report)}")
    if opt.json:
        opt.json.write_text(json.dumps(report.to_json(), indent=2) + "\n")


if __name__ == "__main__":
    main()
