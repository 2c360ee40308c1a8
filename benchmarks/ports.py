"""Which runtimes take an exported file, how near their picture is to ONNX Runtime's, and how fast they are.

    pip install onnxruntime numpy pillow openvino opencv-python-headless ncnn pnnx MNN tract
    pip install onnx2tf tensorflow ai-edge-litert                     # LiteRT; an environment of its own
    ganprune export --onnx --portable CKPT -o out
    python benchmarks/ports.py photo.jpg out/G.onnx out/G.portable.onnx > ports.md

Every runtime that is installed converts each file by its own tool and translates the picture in a process of
its own, in float32 and one thread. The reference is the first file in ONNX Runtime, which `ganprune export`
has compared with PyTorch. Milliseconds are medians of RUNS, after one that does not count.
"""

# pyright: reportMissingImports=false, reportUnknownLambdaType=false

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np

RUNS = 7
SECONDS = 300
"""After so long a runtime is given up."""
Run = Callable[[np.ndarray], Any]
"""[1, c, h, w] in [-1, 1] → the same."""


def onnxruntime(file: Path, shape: tuple[int, ...], folder: Path) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"input": x})[0]


def openvino(file: Path, shape: tuple[int, ...], folder: Path) -> Run:
    import openvino

    exact = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    model = openvino.Core().compile_model(str(file), "CPU", exact)
    return lambda x: model(x)[0]


def opencv(file: Path, shape: tuple[int, ...], folder: Path) -> Run:
    import cv2

    cv2.setNumThreads(1)
    net = cv2.dnn.readNetFromONNX(str(file))

    def run(x: np.ndarray) -> Any:
        net.setInput(x)
        return net.forward()

    return run


def ncnn(file: Path, shape: tuple[int, ...], folder: Path) -> Run:
    import ncnn

    sizes = ",".join(map(str, shape))
    convert("pnnx", file.name, f"inputshape=[{sizes}]", "fp16=0", folder=folder)
    net = ncnn.Net()
    net.opt.num_threads = 1
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.opt.use_bf16_storage = False
    for load, kind in ((net.load_param, "param"), (net.load_model, "bin")):
        if load(str(folder / f"G.ncnn.{kind}")):
            raise RuntimeError(f"the {kind} file that pnnx made is not read")

    def run(x: np.ndarray) -> Any:
        extractor = net.create_extractor()
        extractor.input("in0", ncnn.Mat(x[0]))
        code, made = extractor.extract("out0")
        if code:
            raise RuntimeError(f"extract answers {code}")
        return np.array(made)[None]

    return run


def mnn(file: Path, shape: tuple[int, ...], folder: Path) -> Run:
    import MNN
    from MNN import expr

    convert("mnnconvert", "-f", "ONNX", "--modelFile", str(file), "--MNNModel", "G.mnn", "--bizCode", "G",
            folder=folder)  # fmt: skip
    settings = {"backend": "CPU", "numThread": 1, "precision": "high"}
    runtime = MNN.nn.create_runtime_manager((settings,))
    net = MNN.nn.load_module_from_file(str(folder / "G.mnn"), ["input"], ["output"], runtime_manager=runtime)

    def run(x: np.ndarray) -> Any:
        given = expr.placeholder(list(x.shape), expr.NCHW, expr.float)
        given.write(x)
        return expr.convert(net.forward([given])[0], expr.NCHW).read().copy()

    return run


def tract(file: Path, shape: tuple[int, ...], folder: Path) -> Run:
    import tract

    model = tract.onnx().load(str(file)).into_model().into_runnable()
    return lambda x: model.run([x])[0].to_numpy()


def litert(file: Path, shape: tuple[int, ...], folder: Path) -> Run:
    from ai_edge_litert.interpreter import Interpreter

    # It tries its graph on pictures, which it would fetch from the network.
    pictures = np.random.default_rng(0).random((20, 128, 128, 3), np.float32)
    np.save(folder / "calibration_image_sample_data_20x128x128x3_float32.npy", pictures)
    convert("onnx2tf", "-i", file.name, "-o", "tf", "-n", folder=folder)
    (path,) = (folder / "tf").glob("*_float32.tflite")
    net = Interpreter(str(path), num_threads=1)
    net.allocate_tensors()
    (first,), (last,) = net.get_input_details(), net.get_output_details()

    def run(x: np.ndarray) -> Any:
        net.set_tensor(first["index"], x.transpose(0, 2, 3, 1).copy())
        net.invoke()
        return net.get_tensor(last["index"]).transpose(0, 3, 1, 2)

    return run


RUNTIMES: dict[str, tuple[Callable[[Path, tuple[int, ...], Path], Run], tuple[str, ...]]] = {
    "ONNX Runtime": (onnxruntime, ("onnxruntime",)),
    "OpenVINO": (openvino, ("openvino",)),
    "OpenCV": (opencv, ("opencv-python-headless",)),
    "ncnn, by pnnx": (ncnn, ("ncnn", "pnnx")),
    "MNN": (mnn, ("MNN",)),
    "tract": (tract, ("tract",)),
    "LiteRT, by onnx2tf": (litert, ("ai-edge-litert", "onnx2tf")),
}
"""Name → how it loads a file, and the packages that are asked for their version."""


def convert(tool: str, *words: str, folder: Path) -> None:
    """Run a converter of this environment. Raises `RuntimeError` with its last line where it fails."""
    path = Path(sys.executable).with_name(tool)
    done = subprocess.run([path, *words], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{tool} ends with {done.returncode}: {last_line(done.stdout + done.stderr)}")


def last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no word")[:160]


def one(name: str, file: Path, given: Path, made: Path) -> None:
    """Translate ``given`` (.npy) in this process, and print the milliseconds as JSON."""
    x = np.load(given)
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "G.onnx"  # converters write beside it, and into it
        copy.write_bytes(file.read_bytes())
        run = RUNTIMES[name][0](copy, x.shape, Path(folder))
        np.save(made, np.asarray(run(x)))
        times: list[float] = []
        for _ in range(RUNS):
            start = perf_counter()
            run(x)
            times.append((perf_counter() - start) * 1000)
    print(json.dumps(float(np.median(times))))


def cells(name: str, file: Path, given: Path, wanted: np.ndarray | None) -> tuple[str, np.ndarray | None]:
    """What a runtime makes of a file, in a few words, and its picture."""
    with TemporaryDirectory() as folder:
        made = Path(folder) / "made.npy"
        words = [sys.executable, __file__, "--one", name, str(made), str(given), str(file)]
        try:
            done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            return f"no end in {SECONDS} s", None
        if done.returncode:
            return f"fails ({done.returncode}): {last_line(done.stdout + done.stderr)}", None
        picture: np.ndarray = np.load(made)
    wanted = picture if wanted is None else wanted
    if picture.shape != wanted.shape:
        return f"shape {picture.shape}", picture
    apart = np.abs(picture.astype(np.float64) - wanted)
    return f"{apart.max():.1e}, mean {apart.mean():.1e}; {float(last_line(done.stdout)):.0f} ms", picture


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("picture", type=Path)
    args.add_argument("files", nargs="+", type=Path)
    args.add_argument("--size", type=int, default=256)
    args.add_argument("--runtimes", nargs="+", default=list(RUNTIMES))
    args.add_argument("--one", nargs=2, metavar=("RUNTIME", "NPY"), help=argparse.SUPPRESS)
    opt = args.parse_args()
    if opt.one:
        one(opt.one[0], opt.files[0], opt.picture, Path(opt.one[1]))
        return
    from PIL import Image

    pixels = Image.open(opt.picture).convert("RGB").resize((opt.size,) * 2, Image.Resampling.BICUBIC)
    x = np.asarray(pixels, np.float32).transpose(2, 0, 1)[None] / 127.5 - 1
    print(f"| runtime | {' | '.join(file.name for file in opt.files)} |\n|---|{'---|' * len(opt.files)}")
    with TemporaryDirectory() as folder:
        given = Path(folder) / "given.npy"
        np.save(given, np.ascontiguousarray(x))
        _, wanted = cells("ONNX Runtime", opt.files[0].resolve(), given, None)
        for name in opt.runtimes:
            try:
                versions = " ".join(version(package) for package in RUNTIMES[name][1])
            except ImportError:
                print(f"| {name} | {' | '.join(['not installed'] * len(opt.files))} |", flush=True)
                continue
            row = [cells(name, file.resolve(), given, wanted)[0] for file in opt.files]
            print(f"| {name} {versions} | {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
