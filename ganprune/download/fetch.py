"""An address to a file, over HTTP: resumable, and whole or not at all as far as the server lets one know.

What has come so far is in a partial file. Beside it lies a note of where it is from: the address, the
server's name for this version of the file, and its length. Going on asks for the rest with ``Range`` and
``If-Range`` (RFC 9110, sections 13.1.5 and 14.2): a server whose file has changed, or that knows no ranges,
sends all of it, and the partial file starts anew.
"""

import json
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO, cast
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from ganprune.errors import DownloadError
from ganprune.reporting import SILENT, Reporter
from ganprune.storage.files import write_atomically

_CHUNK = 1 << 18
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers that may be others a little later."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a server."""

    timeout: float = 30.0
    """Seconds without a byte before the connection counts as broken."""
    attempts: int = 3
    """How often to try; only what has broken or is overloaded is tried again."""
    pause: float = 1.0
    """Seconds before the second attempt; doubled before each further one."""
    most: int = 32 << 30
    """Bytes of the largest file that is fetched: a server may send without end."""
    slowest: float = 1000.0
    """Bytes a second below which, after ``slow`` seconds, the connection counts as broken."""
    slow: float = 120.0


@dataclass(frozen=True, slots=True)
class Transfer:
    """One file to fetch."""

    url: str
    """Where from: http or https."""
    partial: Path
    """Where to; its folder exists."""
    size: int | None = None
    """Bytes that it must have, where known."""
    again: str = "the same command"
    """What to run to go on, for messages."""
    by_hand: str = "fetch it with a browser"
    """What to do without a network here, for messages."""


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where the bytes of a partial file are from."""

    url: str
    validator: str
    """Strong ETag or date, for If-Range; empty: there is no going on."""
    total: int | None


class _Broken(Exception):
    """What may work at the next attempt."""


def fetch(transfer: Transfer, patience: Patience, reporter: Reporter = SILENT) -> None:
    """Fill ``transfer.partial`` with all of the file; what an earlier call has left there is gone on with.

    Raises `DownloadError` where the server cannot be reached, answers with an error, offers another size, or
    breaks off at every attempt. In the last case the partial file is kept, where it can be gone on with.
    """
    trouble = ""
    for attempt in range(patience.attempts):
        if _is_whole(transfer):
            return
        if attempt:
            reporter.info(f"{trouble}; trying again")
            time.sleep(patience.pause * 2 ** (attempt - 1))
        try:
            _attempt(transfer, patience, reporter)
            return
        except _Broken as broken:
            trouble = str(broken)
    origin, kept = _read_origin(transfer), _size(transfer.partial)
    if not (origin and origin.validator and kept):
        discard(transfer.partial)
        raise DownloadError(
            f"{transfer.url}: {trouble}; try again later: {transfer.again}; or {transfer.by_hand}"
        )
    raise DownloadError(
        f"{transfer.url}: {trouble}; {kept:,} bytes are kept; to go on, run again: {transfer.again}"
    )


def discard(partial: Path) -> None:
    """Remove a partial file and its note."""
    partial.unlink(missing_ok=True)
    _note(partial).unlink(missing_ok=True)


def _attempt(transfer: Transfer, patience: Patience, reporter: Reporter) -> None:
    partial, origin = transfer.partial, _read_origin(transfer)
    asked = _size(partial) if origin and origin.validator else 0
    headers = {"User-Agent": "ganprune"}
    if origin and asked:
        headers |= {"Range": f"bytes={asked}-", "If-Range": origin.validator}
    with _opened(Request(transfer.url, headers=headers), transfer, patience) as response:
        start = _start(response, asked, origin)
        if start is None:
            discard(partial)
            raise _Broken("the server cannot go on where it stopped")
        total = None if response.length is None else start + response.length
        if None not in (total, transfer.size) and total != transfer.size:
            discard(partial)
            raise DownloadError(_wrong_size(transfer, f"the server offers {total:,}"))
        if total is not None and total > patience.most:
            discard(partial)
            raise _too_large(transfer, patience)
        if not start:
            discard(partial)
            _write_origin(partial, _Origin(transfer.url, _validator(response.headers), total))
            if asked:
                reporter.info("the file has changed, or the server knows no ranges: from the beginning")
        _receive(response, transfer, start, total, patience, reporter)
    got = _size(partial)
    if total is not None and got < total:
        raise _Broken(f"the connection was cut after {got:,} of {total:,} bytes")
    if transfer.size is not None and got != transfer.size:
        discard(partial)
        raise DownloadError(_wrong_size(transfer, f"{got:,} came"))


def _receive(
    response: HTTPResponse,
    transfer: Transfer,
    start: int,
    total: int | None,
    patience: Patience,
    reporter: Reporter,
) -> None:
    most = patience.most if transfer.size is None else transfer.size
    if total is None:
        reporter.info(f"fetching {transfer.partial.name}; the server does not say how large it is")
        reporter = SILENT
    done, began = start, time.monotonic()
    title = f"{transfer.partial.name}, MiB"
    with (
        transfer.partial.open("ab") as file,
        reporter.task(title, _mebibytes(total or 0), _mebibytes(start)) as task,
    ):
        for chunk in _chunks(response):
            file.write(chunk)
            file.flush()  # a kill loses nothing that came
            before, done = done, done + len(chunk)
            if done > most:
                discard(transfer.partial)
                raise _too_large(transfer, patience)
            waited = time.monotonic() - began
            if waited > patience.slow and done - start < patience.slowest * waited:
                raise _Broken(f"the server sends less than {patience.slowest:g} bytes a second")
            if steps := _mebibytes(done) - _mebibytes(before):
                rate = (done - start) / max(time.monotonic() - began, 1e-3)
                task.advance(steps, speed=f"{rate / 1e6:.1f} MB/s")


def _chunks(response: HTTPResponse) -> Iterator[bytes]:
    """The body, as it comes. Only what goes wrong with the network is `_Broken`; a full disk is not."""
    while True:
        try:
            chunk = response.read1(_CHUNK)
        except (OSError, HTTPException) as error:
            raise _Broken(f"the connection broke ({_reason(error)})") from error
        if not chunk:
            return
        yield chunk


def _opened(request: Request, transfer: Transfer, patience: Patience) -> HTTPResponse:
    try:
        return cast(HTTPResponse, build_opener(_Redirects).open(request, timeout=patience.timeout))
    except HTTPError as error:
        with error:
            answer = f"the server answered {error.code} {' '.join(str(error.reason).split())}"
        if error.code == 416:  # there is no rest: the file has become shorter
            discard(transfer.partial)
            raise _Broken(answer) from None
        if error.code in _TRANSIENT:
            raise _Broken(answer) from None
        raise DownloadError(
            f"{transfer.url}: {answer}; look for it with a browser, and give its address with --from URL"
        ) from None
    except URLError as error:  # no connection came about
        cause = error.reason if isinstance(error.reason, Exception) else error
        raise DownloadError(
            f"{transfer.url}: {request.host} cannot be reached ({_reason(cause)}); "
            f"connect to the internet and run again: {transfer.again}; or {transfer.by_hand}"
        ) from None
    except (OSError, HTTPException) as error:
        raise _Broken(f"the connection broke ({_reason(error)})") from error
    except ValueError as error:  # it sends on to an address that is none
        raise DownloadError(
            f"{transfer.url}: the server answered with no address ({error}); look for it with a browser, and "
            "give its address with --from URL"
        ) from None


class _Redirects(HTTPRedirectHandler):
    """Follows redirects to http and https, and never from https back to http."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        if not newurl.startswith("https:" if req.type == "https" else ("http:", "https:")):
            raise DownloadError(
                f"{req.full_url}: refused to follow a redirect to {newurl}, which is less safe"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _start(response: HTTPResponse, asked: int, origin: _Origin | None) -> int | None:
    """Which byte of the file the answer begins with; None where it is not what was asked for."""
    if response.status == 200:
        return 0
    told = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if response.status != 206 or told is None or origin is None or int(told[1]) != asked:
        return None
    return asked if told[2] in ("*", str(origin.total)) or origin.total is None else None


def _validator(headers: HTTPMessage) -> str:
    etag = headers.get("ETag", "")
    return etag if etag.startswith('"') else headers.get("Last-Modified", "")


def _is_whole(transfer: Transfer) -> bool:
    """Whether an earlier call got everything and was stopped right after."""
    origin = _read_origin(transfer)
    return origin is not None and origin.total is not None and _size(transfer.partial) == origin.total


def _note(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.origin")


def _read_origin(transfer: Transfer) -> _Origin | None:
    """Where the partial file is from; None where that is unknown, or another address."""
    with suppress(OSError, ValueError, TypeError):
        origin = _Origin(**json.loads(_note(transfer.partial).read_text(encoding="utf-8")))
        return origin if origin.url == transfer.url and transfer.partial.is_file() else None
    return None


def _write_origin(partial: Path, origin: _Origin) -> None:
    write_atomically(_note(partial), json.dumps(asdict(origin)).encode(), over="any")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _mebibytes(size: int) -> int:
    """Rounded up."""
    return -(-size >> 20)


def _wrong_size(transfer: Transfer, found: str) -> str:
    return (
        f"{transfer.url}: needed {transfer.size:,} bytes, {found}; the file may have been replaced: "
        f"look at it with a browser; --from {transfer.url} takes what is there"
    )


def _too_large(transfer: Transfer, patience: Patience) -> DownloadError:
    most = patience.most if transfer.size is None else transfer.size
    return DownloadError(
        f"{transfer.url}: needed at most {most:,} bytes, the server sends more; {transfer.by_hand}"
    )


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(getattr(error, "strerror", None) or error) or type(error).__name__
