"""The server: a table of addresses on the loopback address, and nothing else."""

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from unittest.mock import patch

import onnx
import pytest
from onnx import TensorProto, helper

from ganprune.errors import UsageError
from ganprune.images import DataSource
from ganprune.report import vendor
from ganprune.report.networks import domain_names, plain_name
from ganprune.report.server import HOST, page_server
from ganprune.report.vendor import FILES
from ganprune.runs import Run


def _network(path: Path, kind: int = TensorProto.FLOAT, dims: tuple[int | str, ...] = (1, 3, 8, 12)) -> None:
    node = helper.make_node("Relu", ["input"], ["output"])
    ends = [helper.make_tensor_value_info(name, kind, dims) for name in ("input", "output")]
    graph = helper.make_graph([node], "g", ends[:1], ends[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), path)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "report.html").write_text("<!doctype html>the report")
    (folder / "secret.txt").write_text("secret")
    _network(folder / "original_G_A.onnx")
    _network(folder / "G_A.onnx")
    _network(folder / "G_A.int8 & <b>.onnx", TensorProto.UINT8, (1, "h", "w", 3))
    (folder / "broken.onnx").write_text("no network")
    return Run(folder)


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    folder = tmp_path / "runtime"
    folder.mkdir()
    for name in FILES:
        (folder / name).write_text(name)
    return folder


@contextmanager
def _serving(run: Run, runtime: Path) -> Generator[int]:
    with page_server(run, runtime) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def port(run: Run, runtime: Path) -> Generator[int]:
    with _serving(run, runtime) as port:
        yield port


def _ask(port: int, path: str, method: str = "GET", **headers: str) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection(HOST, port, timeout=20)
    connection.putrequest(method, path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/report.html", "text/html; charset=utf-8"),
        ("/translate.css", "text/css; charset=utf-8"),
        ("/translate.js", "text/javascript"),
        ("/network.js", "text/javascript"),
        ("/sources.js", "text/javascript"),
        ("/page.json", "application/json"),
        ("/models/G_A.onnx", "application/octet-stream"),
        ("/ort/ort.wasm.min.mjs", "text/javascript"),
        ("/ort/ort-wasm-simd-threaded.wasm", "application/wasm"),
    ],
)
def test_everything_has_its_type_and_lets_webassembly_have_threads(port: int, path: str, kind: str) -> None:
    answer, body = _ask(port, path)
    assert (answer.status, answer.headers["Content-Type"]) == (200, kind)
    assert int(answer.headers["Content-Length"]) == len(body) > 0
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    head, nothing = _ask(port, path, "HEAD")
    assert (head.status, nothing, head.headers["Content-Length"]) == (200, b"", str(len(body)))


@pytest.mark.parametrize(
    "path",
    ["/secret.txt", "/../secret.txt", "/models/../secret.txt", "/models/%2e%2e/secret.txt", "//etc/passwd",
     "/models/", "/ort/", "/models", "/run", "/ort/ort.wasm.min.mjs/", "/%00", "secret.txt",
     "/models/broken.onnx", "/report.html/../secret.txt"],
)  # fmt: skip
def test_nothing_else_is_there(port: int, path: str) -> None:
    answer, body = _ask(port, path)
    assert (answer.status, body) == (404, b"not found")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "0.0.0.0:1", ""])
def test_other_names_for_this_machine_are_refused(port: int, host: str) -> None:
    answer, body = _ask(port, "/page.json", Host=host)
    assert (answer.status, body) == (403, b"only for this machine")


def test_nothing_is_done_for_another_page(port: int) -> None:
    for origin in ({}, {"Origin": "http://evil.example"}, {"Origin": "null"}):
        answer, body = _ask(port, "/fetch/wasm", "POST", **origin)
        assert (answer.status, body) == (404, b"not found")
    assert _ask(port, "/page.json", "POST", Origin=f"http://{HOST}:{port}")[0].status == 404
    assert _ask(port, "/", "PUT")[0].status == 501


def test_a_runtime_that_cannot_be_fetched_is_told_of(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vendor, "MIRROR", "http://127.0.0.1:1/")
    answer, body = _ask(port, "/fetch/wasm", "POST", Origin=f"http://{HOST}:{port}")
    assert answer.status == 502
    assert b"http://127.0.0.1:1/ort.wasm.min.mjs: 127.0.0.1:1 cannot be reached" in body
    assert b"npm pack onnxruntime-web@1.30.0" in body


def test_networks_are_listed_slim_first_with_what_they_take(port: int) -> None:
    _, body = _ask(port, "/page.json")
    page = json.loads(body)
    listed = page["models"]
    assert [model["label"] for model in listed] == ["slim, float32", "slim, int8 & <b>", "original"]
    plain, free, original = listed
    assert (plain["height"], plain["width"], plain["dtype"]) == (8, 12, "float32")
    free_size = (free["height"], free["width"], free["dtype"], free["channels_last"])
    assert free_size == (None, None, "uint8", True)
    assert (plain["side"], plain["original"], original["original"]) == ("A", False, True)
    assert page["domains"] == {"A": "A", "B": "B"}
    assert page["engines"] == {"wasm": 14_314_404, "webgpu": 26_901_320}  # those here are others
    answer, body = _ask(port, free["url"])
    assert answer.status == 200
    assert len(body) == free["bytes"]


@pytest.mark.parametrize(
    ("stem", "words"),
    [("G_A", "slim, float32"), ("G", "slim, float32"), ("G_B.int8", "slim, int8"),
     ("G_A.fp16", "slim, float16 weights"), ("original_G_A", "original"),
     ("original_G_B.rewritten", "original, rewritten for speed"),
     ("original_G_A.rewritten.int8", "original, rewritten for speed, int8"), ("mine.v2", "mine.v2")],
)  # fmt: skip
def test_networks_are_called_in_plain_words(stem: str, words: str) -> None:
    assert plain_name(stem) == words


@pytest.mark.parametrize(
    ("source", "names"),
    [(DataSource(Path("datasets/horse2zebra")), ("horse", "zebra")),
     (DataSource(Path("datasets/mine")), ("A", "B")),
     (DataSource(A=Path("photos/horses"), B=Path("photos/zebras")), ("horses", "zebras")),
     (DataSource(A=Path("data/trainA")), ("A", "B")), (DataSource(Path("a2b2c")), ("A", "B"))],
)  # fmt: skip
def test_domains_are_called_as_their_folders(source: DataSource, names: tuple[str, str]) -> None:
    assert source.domain_names == dict(zip("AB", names, strict=True))


@pytest.mark.parametrize(
    ("checkpoint", "names"),
    [("nets/modern2vintage", ("modern", "vintage")), ("horse2zebra_pretrained/G.pth", ("horse", "zebra")),
     ("nets/G_A2B_epoch33.pth", ("apple", "orange")), ("", ("apple", "orange"))],
)  # fmt: skip
def test_domains_are_called_as_the_network_that_translates_them(
    run: Run, checkpoint: str, names: tuple[str, str]
) -> None:
    config = {"checkpoint": checkpoint, "data": "datasets/apple2orange"}
    with patch.object(Run, "config", config):
        assert domain_names(run) == dict(zip("AB", names, strict=True))


def test_a_file_that_is_gone_is_not_found(run: Run, port: int) -> None:
    (run / "G_A.onnx").unlink()
    assert _ask(port, "/models/G_A.onnx")[0].status == 404


def test_it_listens_on_the_loopback_address_only(run: Run, runtime: Path) -> None:
    with page_server(run, runtime) as server:
        assert server.server_address[0] == "127.0.0.1"


def test_a_port_that_is_taken_or_none_is_refused(run: Run, runtime: Path, port: int) -> None:
    with pytest.raises(UsageError, match=f"--port {port} cannot be used"):
        page_server(run, runtime, port)
    with pytest.raises(UsageError, match="--port must be 0 to 65535, found 70000"):
        page_server(run, runtime, 70000)


def test_a_run_without_networks_is_told_how_to_get_some(run: Run, runtime: Path) -> None:
    for path in run.folder.glob("*.onnx"):
        path.unlink()
    with pytest.raises(UsageError, match="ganprune export --onnx"):
        page_server(run, runtime)
