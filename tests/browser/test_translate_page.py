"""The page that translates, in a real browser: the same pictures as onnxruntime in Python."""

import re
import shutil
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from ganprune.images import to_float, to_uint8
from ganprune.report import vendor
from ganprune.report.server import page_server
from ganprune.runs import Run
from tests.browser.chromium import CONTRAST, Page
from tests.onnx_graphs import conv
from tests.report.kit import folder_served
from tests.videos import write_video

PIXELS = (
    "(() => { const c = document.getElementById('%s');"
    " return [c.height, c.width, ...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]; })()"
)
DONE = "['done', 'failed'].includes(document.body.dataset.state)"


@pytest.fixture(scope="module")
def runtime() -> Path:
    folder = vendor.runtime_folder()
    if any(vendor.missing(engine, folder) for engine in vendor.ENGINES):
        pytest.skip("no onnxruntime-web; get it with `make runtime`")
    return folder


@contextmanager
def served(run: Path, runtime: Path) -> Generator[str]:
    with page_server(Run(run), runtime) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def address(run: Path, runtime: Path) -> Generator[str]:
    with served(run, runtime) as found:
        yield found


def ready(page: Page, address: str, **how: Any) -> None:
    page.open(address, **how)
    page.wait("document.body.dataset.state === 'ready'")


def choose(page: Page, menu: str, value: str) -> None:
    page.js(
        f"(() => {{ const menu = document.getElementById('{menu}'); menu.value = '{value}';"
        " menu.dispatchEvent(new Event('change')); })()"
    )


def text(page: Page, element: str) -> str:
    return page.js(f"document.getElementById('{element}').textContent")


def _shown(page: Page, canvas: str) -> np.ndarray:
    height, width, *values = page.js(PIXELS % canvas)
    return np.array(values, np.uint8).reshape(height, width, 4)[..., :3]


def _wanted(network: Path, picture: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    x = to_float(torch.from_numpy(picture.copy()).permute(2, 0, 1))[None].numpy()
    (y,) = session.run(None, {session.get_inputs()[0].name: x})
    return to_uint8(torch.from_numpy(np.asarray(y)[0])).permute(1, 2, 0).numpy()


def _within_one(page: Page, network: Path, place: str = "after") -> None:
    given, made = _shown(page, "before"), _shown(page, place)
    assert np.abs(_wanted(network, given).astype(int) - made).max() <= 1
    assert np.abs(given.astype(int) - made).mean() > 2  # it is a translation


def test_the_browser_translates_as_python_does(page: Page, run: Path, address: str) -> None:
    ready(page, address)
    assert page.js("crossOriginIsolated")
    page.js("document.getElementById('sample').click()")
    page.wait(DONE)
    _within_one(page, run / "G_A.onnx")
    _within_one(page, run / "original_G_A.onnx", "original")
    assert page.errors == []
    assert {u for u in page.requests if not u.startswith((address, "data:", f"blob:{address}"))} == set()


def test_a_chosen_file_goes_through_the_chosen_network(
    page: Page, run: Path, address: str, tmp_path: Path
) -> None:
    pixels = np.asarray(Image.open(run / "pictures.png").convert("RGB").crop((0, 20, 96, 116)))
    Image.fromarray(pixels).save(tmp_path / "given.png")
    ready(page, address)
    choose(page, "direction", "B")
    page.give("#file", tmp_path / "given.png")
    page.wait(DONE)
    assert np.array_equal(_shown(page, "before"), pixels)
    _within_one(page, run / "G_B.onnx")
    page.wait("document.getElementById('save').href.startsWith('blob:')")
    assert page.errors == []


@pytest.mark.parametrize(
    "event",
    [
        "DragEvent('drop', {dataTransfer: data, cancelable: true})",
        "ClipboardEvent('paste', {clipboardData: data})",
    ],
)
def test_a_dropped_or_pasted_picture_of_another_size_is_resized(
    page: Page, run: Path, address: str, event: str
) -> None:
    ready(page, address)
    page.js(
        "(async () => { const c = new OffscreenCanvas(200, 120); const pen = c.getContext('2d');"
        " for (let x = 0; x < 200; x += 5) {"
        " pen.fillStyle = `hsl(${3 * x} 60% 50%)`; pen.fillRect(x, x % 60, 40, 90); }"
        " const data = new DataTransfer();"
        " data.items.add(new File([await c.convertToBlob()], 'a.png', {type: 'image/png'}));"
        f" dispatchEvent(new {event}); }})()"
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
        ready(page, address)
        choose(page, "model", "a")
        page.give("#file", next((Path(__file__).parents[2] / "docs").glob("demo.png")))
        page.wait(DONE)
        given, made = _shown(page, "before"), _shown(page, "after")
    shown = np.asarray(Image.fromarray(given).convert("L"))[..., None] if inputs == 1 else given
    assert np.abs(_wanted(folder / "a.onnx", shown).astype(int) - made).max() <= 1
    assert page.errors == []


def test_what_is_no_picture_is_told_of(page: Page, address: str, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no picture")
    ready(page, address)
    page.give("#file", tmp_path / "a.png")
    page.wait("document.getElementById('status').classList.contains('failed')")
    assert text(page, "status") == "That is no picture this browser can read."


def test_times_of_both_networks_and_their_ratio_are_told_in_words(page: Page, address: str) -> None:
    ready(page, address)
    page.js("document.getElementById('sample').click()")
    page.wait(DONE)
    found = re.fullmatch(
        r"The slim network (?:is ([\d.]+) times as fast as|takes ([\d.]+) times as long as|takes as long as) "
        r"the original: ([\d.]+) ms and ([\d.]+) ms on WebAssembly, \d threads?, 96×96 pixels\.",
        text(page, "status"),
    )
    assert found is not None, text(page, "status")
    faster, slower, slim, original = (None if part is None else float(part) for part in found.groups())
    assert slim is not None
    assert original is not None
    if faster is not None:
        assert faster == pytest.approx(original / slim, rel=0.1)
    if slower is not None:
        assert slower == pytest.approx(slim / original, rel=0.1)
    assert text(page, "original-told").startswith("Original: ")
    assert text(page, "after-told").startswith("Slim, float32: ")


def test_networks_have_plain_names_and_any_of_a_direction_goes_beside_another(
    page: Page, address: str
) -> None:
    ready(page, address)
    names = "[...document.getElementById('%s').options].map(option => option.textContent)"
    assert page.js(names % "model") == ["slim, float32", "original", "original, rewritten for speed"]
    assert page.js(names % "beside") == ["original", "original, rewritten for speed", "nothing"]
    choose(page, "beside", "")
    assert page.js("document.getElementById('other').hidden")
    page.js("document.getElementById('sample').click()")
    page.wait(DONE)
    assert re.match(r"Slim, float32: [\d.]+ ms on WebAssembly", text(page, "status"))


def test_webgpu_computes_the_same_picture(page: Page, run: Path, address: str) -> None:
    ready(page, f"{address}?engine=webgpu")
    assert text(page, "status").startswith("Ready, on WebGPU")
    choose(page, "beside", "")  # the processor imitates a graphics card: slow
    page.js("document.getElementById('sample').click()")
    page.wait(DONE)
    assert " on WebGPU, 96×96 pixels." in text(page, "status")
    _within_one(page, run / "G_A.onnx")
    assert page.errors == []


def test_without_webgpu_it_says_so_and_takes_webassembly(page: Page, address: str) -> None:
    hidden = "Object.defineProperty(navigator, 'gpu', { value: undefined })"
    page.call("Page.addScriptToEvaluateOnNewDocument", source=hidden)
    ready(page, f"{address}?engine=webgpu")
    assert text(page, "status") == "Ready, on WebAssembly; this browser has no WebGPU."
    assert page.js("[...document.getElementById('engine').options].map(o => o.value)") == ["wasm"]


def test_a_picture_of_the_camera_is_translated(page: Page, run: Path, address: str) -> None:
    ready(page, address)
    page.js("document.getElementById('camera').click()")
    page.wait("!document.getElementById('live').hidden")
    page.js("document.getElementById('take').click()")
    page.wait(DONE)
    assert page.js("document.getElementById('live').hidden")
    assert page.js("document.getElementById('preview').srcObject") is None  # its light is off
    _within_one(page, run / "G_A.onnx")
    assert page.errors == []


def test_a_camera_that_cannot_be_used_is_told_of(page: Page, address: str) -> None:
    ready(page, address)
    page.js("navigator.mediaDevices.getUserMedia = async () => { throw new Error('it is in use'); }")
    page.js("document.getElementById('camera').click()")
    page.wait(DONE)
    assert text(page, "status") == "The camera cannot be used: it is in use."


def test_a_video_is_translated_frame_by_frame_and_played(
    page: Page, run: Path, address: str, tmp_path: Path
) -> None:
    greys = [40, 120, 200]
    write_video(tmp_path / "clip.mp4", [np.full((96, 96, 3), grey, np.uint8) for grey in greys], rate=5)
    ready(page, address)
    choose(page, "rate", "5")
    page.give("#file", tmp_path / "clip.mp4")
    page.wait(DONE)
    assert text(page, "status").startswith("3 frames. The slim network ")
    assert np.abs(_shown(page, "before").astype(int) - greys[-1]).max() < 8  # the last frame
    page.js("document.getElementById('play').click()")
    page.wait("document.getElementById('progress').value === 1")
    assert np.abs(_shown(page, "before").astype(int) - greys[0]).max() < 8
    page.wait("!document.getElementById('play').disabled")
    assert np.abs(_shown(page, "before").astype(int) - greys[-1]).max() < 8
    assert page.errors == []


def test_a_video_stops_where_it_is_told_to(page: Page, address: str, tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", [np.zeros((96, 96, 3), np.uint8)] * 100, rate=25)
    ready(page, address)
    choose(page, "rate", "25")
    page.give("#file", tmp_path / "clip.mp4")
    page.wait("document.getElementById('progress').value > 1")
    page.js("document.getElementById('stop').click()")
    page.wait(DONE)
    assert re.match(r"Stopped after \d+ of 100 frames\.", text(page, "status"))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 390, 320])
def test_it_fits_the_window_and_every_text_has_contrast(
    page: Page, address: str, theme: str, width: int
) -> None:
    ready(page, address, width=width, theme=theme)
    assert page.js("document.documentElement.scrollWidth <= innerWidth")
    assert page.js(CONTRAST) >= 4.5


def test_every_control_is_reached_by_the_keyboard(page: Page, address: str) -> None:
    ready(page, address)
    reached = list[str]()
    for _ in range(9):
        page.call("Input.dispatchKeyEvent", type="keyDown", key="Tab", windowsVirtualKeyCode=9)
        reached.append(page.js("document.activeElement.id"))
    assert reached == ["", "direction", "model", "beside", "engine", "sample", "file", "camera", "rate"]


def test_the_runtime_is_fetched_once_after_a_click(
    page: Page, run: Path, runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "kept"
    with folder_served(runtime) as mirror:
        monkeypatch.setattr(vendor, "MIRROR", mirror)
        with served(run, folder) as address:
            page.open(address)
            page.wait("document.body.dataset.state === 'asks'")
            assert text(page, "megabytes") == "14 MB"
            assert not folder.exists()  # nothing before the click
            page.js("document.getElementById('fetch').click()")
            page.wait("document.body.dataset.state === 'ready'")
    assert sorted(path.name for path in folder.iterdir()) == sorted(vendor.ENGINES["wasm"])
    with served(run, folder) as address:  # the mirror is gone
        ready(page, address)
    assert page.errors == []
