"""What else one could do to a slow generator: every way on one network, machine and set of test pictures.

    pip install torch-pruning torch-kirigami '.[metrics,openvino]'
    python benchmarks/head_to_head.py CKPT DATA OUT RUN [RUN …] [--macs 0.2] [--features FILE]

CKPT is a lone generator, RUNs are run folders of `ganprune compress` of it; `pruned_`, `refitted_` and the
slim network of each are rows. The others: the original's plain export in ONNX Runtime, the same through
onnxsim, in float16, in 8 bits by ONNX Runtime's own quantizer, and in OpenVINO, in float32 and bfloat16;
our export of it; and the pruners of onnxsim, torch-kirigami and Torch-Pruning, as they are, the last
refitted, too. Pruners come to about --macs of the original's arithmetic; each counts in its own way. Files
go to OUT and are made once. Milliseconds are of one interleaved run, PSNR is to the pictures of the
original in PyTorch.
"""

# pyright: reportMissingImports=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportMissingTypeStubs=false, reportUnknownArgumentType=false

import argparse
import copy
import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from ganprune.bench.engine import OPENVINO, engine_for
from ganprune.bench.statistics import ratio_of_medians
from ganprune.checkpoints import load_generator
from ganprune.images import find_domains, load_pictures, to_float, to_uint8
from ganprune.metrics import features_of, load_features
from ganprune.metrics.controls import lost
from ganprune.models.cyclegan import InstanceNorm
from ganprune.pruning.cost import macs
from ganprune.pruning.genome import Layout
from ganprune.pruning.rebuild import rebuilt
from ganprune.refit import refitted
from ganprune.settings.bench import CPU
from ganprune.storage.tables import plus_minus
from ganprune_exporters.export import export_onnx
from ganprune_exporters.settings import ExportSettings

_HERE = dict[str, Any]()
"""The network of this process: a session, and the name of its input."""


def plain_norms(network: nn.Module) -> nn.Module:
    """A copy with PyTorch's own instance norms, which other libraries know."""
    network = copy.deepcopy(network)
    for name, module in [*network.named_modules()]:
        if isinstance(module, InstanceNorm):
            own = nn.InstanceNorm2d(module.num_features, module.eps, affine=module.affine)
            own.load_state_dict(module.state_dict())
            parent, _, child = name.rpartition(".")
            setattr(network.get_submodule(parent), child, own)
    return network.eval()


def nearest(make: Callable[[float], nn.Module], share: float, whole: int, size: int) -> nn.Module:
    """The network that comes nearest to a share of the arithmetic, of those that a strength 0 … 1 makes."""
    low, high, found = 0.0, 1.0, list[tuple[float, nn.Module]]()
    for _ in range(8):
        middle = (low + high) / 2
        network = make(middle)
        left = macs(network, size, size, "true") / whole
        found.append((abs(left - share), network))
        low, high = (middle, high) if left > share else (low, middle)
    return min(found, key=lambda pair: pair[0])[1]


def by_torch_pruning(original: nn.Module, size: int, ratio: float) -> tuple[nn.Module, Tensor]:
    """The same share of every group, by the group's magnitude; and the genome that it comes to."""
    import torch_pruning

    network, layout = plain_norms(original), Layout.of(original)
    for module in network.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False  # its tracer loses a norm before an operation in place
    last = [m for m in network.modules() if isinstance(m, nn.Conv2d)][-1]
    pruner = torch_pruning.pruner.BasePruner(
        network, torch.zeros(1, layout.graph.inputs, size, size), round_to=16, pruning_ratio=ratio,
        importance=torch_pruning.importance.GroupMagnitudeImportance(p=2), ignored_layers=[last],
    )  # fmt: skip
    pruner.step()
    genome = layout.full()
    of_layer = {layer.name: layer for layer in layout.graph.layers}
    for name, is_output, gone in pruner.pruning_history():
        if is_output and name in of_layer:
            for gene, piece in layout.genes.items():
                bits = layout.bits(of_layer[name].writes, gene)[gone]
                genome[piece.start + bits[bits >= 0]] = False
    return network, genome


def by_kirigami(original: nn.Module, size: int, share: float) -> nn.Module:
    """Every width times √share, which leaves about that share of the arithmetic; it takes minutes."""
    from torch_kirigami import DependencyGraph
    from torch_kirigami.pruning import ChannelRatio, Greedy, GroupMagnitude, Pruner

    network = plain_norms(original)
    example = torch.zeros(1, Layout.of(original).graph.inputs, size, size)
    pruner = Pruner(network, graph=DependencyGraph.build(network, args=(example,)))
    less = ChannelRatio(1 - share**0.5)
    return pruner.prune(pruner.discover_candidates(), budget=less, strategy=Greedy(GroupMagnitude(p=2)))[0]


def in_8_bits(plain: Path, file: Path, pictures: Tensor) -> None:
    """ONNX Runtime's static quantization with its defaults, but for a scale a filter."""
    from onnxruntime.quantization import CalibrationDataReader, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Pictures(CalibrationDataReader):
        def __init__(self) -> None:
            self._left = [{"input": x[None].numpy()} for x in pictures]

        def get_next(self) -> Any:
            return self._left.pop() if self._left else None

    prepared = file.with_suffix(".prepared.onnx")
    quant_pre_process(plain, prepared)
    quantize_static(prepared, file, Pictures(), per_channel=True)
    prepared.unlink()


def in_float16(plain: Path, file: Path) -> None:
    """All of the graph, but for its ends."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(plain), keep_io_types=True), file)


def load(file: Path, provider: str, arithmetic: Any, threads: int) -> None:
    """The file in ONNX Runtime, in this process. Raises `RuntimeError` where another provider takes it."""
    import onnxruntime

    engine, options = engine_for(provider, arithmetic), onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 4
    options.add_session_config_entry("session.force_spinning_stop", "1")
    providers: list[str] | None = [provider]
    if engine.plugin:
        module = import_module(engine.plugin)
        onnxruntime.register_execution_provider_library(engine.plugin, module.get_library_path())
        devices = [d for d in onnxruntime.get_ep_devices() if d.ep_name == provider]
        options.add_provider_for_devices(devices[:1], engine.options(threads))
        providers = None
    made = onnxruntime.InferenceSession(file, options, providers=providers)
    if made.get_providers()[0] != provider:
        raise RuntimeError(f"found {made.get_providers()[0]} in the place of {provider}")
    _HERE.update(run=made.run, input=made.get_inputs()[0].name)


def draw(x: np.ndarray) -> tuple[np.ndarray, float]:
    """float32 [1, c, h, w] → the same, by this process's network, and milliseconds."""
    start = perf_counter()
    made = _HERE["run"](None, {_HERE["input"]: x})[0]
    return made, 1000 * (perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ckpt", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--macs", type=float, default=0.2)
    parser.add_argument("--features", type=Path)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pictures", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=15)
    opt = parser.parse_args()
    opt.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(opt.threads)
    original = load_generator(opt.ckpt)
    layout, folders = Layout.of(original), find_domains(opt.data, needs=("train", "test"))
    whole = macs(original, opt.size, opt.size, "true")
    train = to_float(load_pictures(folders.pictures("train", "A")[:48], opt.size))
    x = to_float(load_pictures(folders.pictures("test", "A")[: opt.pictures], opt.size))

    def exported(name: str, network: Callable[[], nn.Module], ours: bool = True) -> Path:
        file = opt.out / f"{name}.onnx"
        if not file.exists():
            settings = ExportSettings(size=opt.size)
            bare = ExportSettings(size=opt.size, simplify=False, passes=())
            export_onnx(network(), file, settings if ours else bare)
        return file

    def made(name: str, make: Callable[[Path], object]) -> Path:
        file = opt.out / f"{name}.onnx"
        if not file.exists():
            make(file)
        return file

    def by_onnxsim(file: Path) -> None:
        import onnxsim

        # Its strength is a share of filters, not of arithmetic: the square root leaves about that share.
        strength = 1 - opt.macs**0.5
        onnx.save(onnxsim.apply_structured_pruning(str(simplified), sparsity=strength), file)

    def quantized(file: Path) -> None:
        in_8_bits(plain, file, train[:16])

    def torch_pruned() -> nn.Module:
        return nearest(lambda r: by_torch_pruning(original, opt.size, r)[0], opt.macs, whole, opt.size)

    def torch_pruned_and_refitted() -> nn.Module:
        genomes = dict[int, Tensor]()

        def cut(ratio: float) -> nn.Module:
            network, genome = by_torch_pruning(original, opt.size, ratio)
            genomes[id(network)] = genome
            return network

        genome = genomes[id(nearest(cut, opt.macs, whole, opt.size))]
        return refitted(rebuilt(original, layout, genome), original, layout.units(genome), [*train.split(1)])

    plain = exported("original", lambda: original, ours=False)
    simplified = made(
        "onnxsim", lambda file: onnx.save(import_module("onnxsim").simplify(str(plain))[0], file)
    )
    ways: list[tuple[str, Callable[[], Path], str, str]] = [
        ("the original, plainly exported", lambda: plain, CPU, "float32"),
        ("onnxsim", lambda: simplified, CPU, "float32"),
        ("float16, by ONNX Runtime", lambda: made("float16", lambda f: in_float16(plain, f)), CPU, "float32"),
        ("8 bits, by ONNX Runtime", lambda: made("int8", quantized), CPU, "float32"),
        ("OpenVINO, float32", lambda: plain, OPENVINO, "float32"),
        ("OpenVINO, bfloat16", lambda: plain, OPENVINO, "bfloat16"),
        ("our export", lambda: exported("rewritten", lambda: original), CPU, "float32"),
        ("onnxsim's structured pruning", lambda: made("onnxsim-pruned", by_onnxsim), CPU, "float32"),
        ("torch-kirigami",
         lambda: exported("kirigami", lambda: by_kirigami(original, opt.size, opt.macs)), CPU, "float32"),
        ("Torch-Pruning", lambda: exported("torch-pruning", torch_pruned), CPU, "float32"),
        ("Torch-Pruning, refitted by us",
         lambda: exported("torch-pruning-refitted", torch_pruned_and_refitted), CPU, "float32"),
    ]  # fmt: skip
    for run in opt.runs:
        for kind, word in (("pruned_", "cut"), ("refitted_", "refitted"), ("", "as it is")):
            weights = run / f"{kind}G_A.safetensors"
            if weights.exists():
                name = f"{run.name}-{word.replace(' ', '-')}"
                ways.append((f"ganprune, {run.name}, {word}", lambda n=name, w=weights: exported(
                    n, lambda: load_generator(w)), CPU, "float32"))  # fmt: skip
        if (run / "G_A.int8.onnx").exists():
            ways.append((f"ganprune, {run.name}, 8 bits", lambda r=run: r / "G_A.int8.onnx", CPU, "float32"))

    wanted = torch.cat([original(one[None]).detach() for one in x])
    judge = load_features(opt.features, threads=opt.threads) if opt.features else None
    rows, runs = dict[str, dict[str, Any]](), dict[str, ProcessPoolExecutor]()
    untouched = x - wanted
    rows["the untouched picture"] = {"psnr": float(10 * torch.log10(4 / untouched.square().mean()))}
    for name, file, provider, arithmetic in ways:
        # A process each: a provider that was loaded in one arithmetic hands a second one to another provider.
        process = ProcessPoolExecutor(1, get_context("spawn"))
        try:
            path = file()
            process.submit(load, path, provider, arithmetic, opt.threads).result()
            drawn = torch.cat(
                [torch.from_numpy(process.submit(draw, one[None].numpy()).result()[0]) for one in x]
            )
        except Exception as error:  # of other libraries: it is said, and the other ways are tried
            process.shutdown()
            print(f"{name}: {type(error).__name__}: {str(error).splitlines()[0][:200]}", flush=True)
            continue
        runs[name] = process
        error = (drawn.float() - wanted).square().mean()
        row: dict[str, Any] = {"psnr": float(10 * torch.log10(4 / error)), "mib": path.stat().st_size / 2**20}
        if judge is not None:
            made_of = (features_of(judge, to_uint8(p)) for p in (drawn, wanted, x))
            row["lost"] = float(lost(*made_of))
        rows[name] = row
        print(name, row, flush=True)
    times = {name: list[float]() for name in runs}
    for turn in range(opt.rounds + 1):
        for name, process in runs.items():
            ms = process.submit(draw, x[turn % len(x)][None].numpy()).result()[1]
            times[name] += [ms] * bool(turn)
    for process in runs.values():
        process.shutdown()
    taken = {name: np.array(of) for name, of in times.items()}
    first = next(iter(taken.values()))
    print("\n| | MiB | ms | times as fast | PSNR, dB | lost |\n|---|--:|--:|--:|--:|--:|")
    for name, row in rows.items():
        if name in taken:
            ratio = ratio_of_medians(first, taken[name], np.random.default_rng(0))
            row |= {"ms": float(np.median(taken[name])), "ratio": [ratio.value, ratio.low, ratio.high]}
            speed = f"{row['mib']:.1f} | {row['ms']:.0f} | {plus_minus(ratio.value, ratio.margin)}"
        else:
            speed = " | | "
        gone = f"{row['lost']:.3f}" if "lost" in row else ""
        print(f"| {name} | {speed} | {row['psnr']:.1f} | {gone} |")
    (opt.out / "table.json").write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
