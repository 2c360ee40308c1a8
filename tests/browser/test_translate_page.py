"""The page that translates, in a real browser: the same pictures as onnxruntime in Python."""

import shutil
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from ganprune.errors import UsageError
from ganprune.images import to_float, to_uint8
from ganprune.report.server import page_server
from ganprune.report.vendor import kept
from ganprune.runs import Run
from tests.browser.chromium import Page
from tests.onnx_graphs import conv

PIXELS = (
    "(() => { const c = document.getElementById('%s');"
    " return [c.height, c.width, ...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]; })()"
)
DONE = "['done', 'failed'].includes(document.body.dataset.state)"


@pytest.fixture(scope="module")
def runtime() -> Path:
    try:
        return kept()
    except UsageError as error:
        pytest.skip(f"no onnxruntime-web: {error}")


@contextmanager
def served(run: Path, runtime: Path) -> Generator[str]:
    with page_server(Run(run), runtime) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@pytest.fixture
def address(run: Path, runtime: Path) -> Generator[str]:
    with served(run, runtime) as found:
        yield found


def _shown(page: Page, canvas: str) -> np.ndarray:
    height, width, *values = page.js(PIXELS % canvas)
    return np.array(values, np.uint8).reshape(height, width, 4)[..., :3]


def _wanted(network: Path, picture: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    x = to_float(torch.from_numpy(picture.copy()).permute(2, 0, 1))[None].numpy()
    (y,) = session.run(None, {session.get_inputs()[0].name: x})
    return to_uint8(torch.from_numpy(np.asarray(y)[0])).permute(1, 2, 0).numpy()


def _within_one(page: Page, network: Path) -> None:
    given, made = _shown(page, "before"), _shown(page, "after")
    assert np.abs(_wanted(network, given).astype(int) - made).max() <= 1
    assert np.abs(given.astype(int) - made).mean() > 2  # it is a translation


def test_the_browser_translates_as_python_does(page: Page, run: Path, address: str) -> None:
    page.open(address)
    page.wait("document.body.dataset.state === 'ready'")
    assert page.js("crossOriginIsolated")
    page.js("document.getElementById('sample').click()")
    page.wait(DONE)
    assert page.js("document.getElementById('status').textContent").startswith("G_A: ")
    _within_one(page, run / "G_A.onnx")
    assert page.errors == []
    assert {u for u in page.requests if not u.startswith((address, "data:", f"blob:{address}"))} == set()


def test_a_chosen_file_goes_through_the_chosen_network(
    page: Page, run: Path, address: str, tmp_path: Path
) -> None:
    pixels = np.asarray(Image.open(run / "pictures.png").convert("RGB").crop((0, 20, 96, 116)))
    Image.fromarray(pixels).save(tmp_path / "given.png")
    page.open(address)
    page.wait("document.body.dataset.state === 'ready'")
    page.js("document.getElementById('model').value = 'G_B'")
    page.give("#file", tmp_path / "given.png")
    page.wait(DONE)
    assert np.array_equal(_shown(page, "before"), pixels)
    _within_one(page, run / "G_B.onnx")
    page.wait("document.getElementById('save').href.startsWith('blob:')")
    assert page.errors == []


def test_a_dropped_picture_of_another_size_is_resized(page: Page, run: Path, address: str) -> None:
    page.open(address)
    page.wait("document.body.dataset.state === 'ready'")
    page.js(
        "(async () => { const c = new OffscreenCanvas(200, 120); const pen = c.getContext('2d');"
        " for (let x = 0; x < 200; x += 5) {"
        " pen.fillStyle = `hsl(${3 * x} 60% 50%)`; pen.fillRect(x, x % 60, 40, 90); }"
        " const data = new DataTransfer();"
        " data.items.add(new File([await c.convertToBlob()], 'a.png', {type: 'image/png'}));"
        " dispatchEvent(new DragEvent('drop', {dataTransfer: data, cancelable: true})); })()"
    )
    page.wait(DONE)
    assert _shown(page, "before").shape == (96, 96, 3)
    _within_one(page, run / "G_A.onnx")


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 3), (3, 1)])
def test_grey_networks_get_grey_and_are_shown(
    page: Page, run: Path, runtime: Path, tmp_path: Path, inputs: int, outputs: int
) -> None:
    folder = Path(shutil.copytree(run, tmp_path / "run"))
    conv(folder / "a.onnx", outputs, (1, inputs, 96, 96))
    with served(folder, runtime) as address:
        page.open(address)
        page.wait("document.body.dataset.state === 'ready'")
        page.js("document.getElementById('model').value = 'a'")
        page.give("#file", next((Path(__file__).parents[2] / "docs").glob("demo.png")))
        page.wait(DONE)
        given, made = _shown(page, "before"), _shown(page, "after")
    shown = np.asarray(Image.fromarray(given).convert("L"))[..., None] if inputs == 1 else given
    assert np.abs(_wanted(folder / "a.onnx", shown).astype(int) - made).max() <= 1
    assert page.errors == []


def test_what_is_no_picture_is_told_of(page: Page, address: str, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no picture")
    page.open(address)
    page.wait("document.body.dataset.state === 'ready'")
    page.give("#file", tmp_path / "a.png")
    page.wait("document.getElementById('status').classList.contains('failed')")
    assert page.js("document.getElementById('status').textContent") == (
        "That is no picture this browser can read."
    )
