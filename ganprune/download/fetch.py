"""An address to a file, over HTTP, whole or not at all as far as the server lets one know.

What an interrupted call has left is gone on with (``Range``, RFC 9110, section 14.2) where the file's hash is
known: that tells, at the end, whether the parts were of one file. Else a call starts from the beginning.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests
from requests.exceptions import ChunkedEncodingError
from urllib3.exceptions import MaxRetryError

from ganprune.errors import DownloadError
from ganprune.reporting import SILENT, Reporter

_CHUNK = 1 << 16
_TRANSIENT = frozenset({408, 416, 425, 429, 500, 502, 503, 504})
"""Answers that may be others a little later; 416: what is here is longer than what is there."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a server."""

    timeout: float = 30.0  # seconds without a byte before the connection counts as broken
    attempts: int = 3  # how often to try; only what has broken or is overloaded is tried again
    pause: float = 1.0  # seconds before the second attempt; doubled before each further one
    most: int = 32 << 30  # bytes of the largest file that is fetched: a server may send without end
    slowest: float = 1000.0
    """Bytes a second below which, after ``slow`` seconds, the connection counts as broken."""
    slow: float = 120.0


@dataclass(frozen=True, slots=True)
class Transfer:
    """One file to fetch."""

    url: str  # where from: http or https
    partial: Path  # where to; its folder exists
    size: int | None = None  # bytes that it must have, where known
    resumes: bool = False
    """Whether what lies there is the beginning of this file; the caller checks the whole by its hash."""
    again: str = "the same command"  # what to run to go on, for messages
    by_hand: str = "fetch it with a browser"  # what to do without a network here, for messages


class _Broken(Exception):
    """What may work at the next attempt."""


def fetch(transfer: Transfer, patience: Patience, reporter: Reporter = SILENT) -> None:
    """Fill ``transfer.partial`` with all of the file.

    Raises `DownloadError` where the server cannot be reached, answers with an error, offers another size, or
    breaks off at every attempt. Only in the last case is the partial file kept, where it can be gone on with.
    """
    kept, trouble = transfer.partial, ""
    for attempt in range(patience.attempts):
        if attempt:
            reporter.info(f"{trouble}; trying again")
            time.sleep(patience.pause * 2 ** (attempt - 1))
        if not transfer.resumes:
            kept.unlink(missing_ok=True)
        try:
            return _attempt(transfer, patience, reporter)
        except _Broken as broken:
            trouble = str(broken)
        except DownloadError:
            kept.unlink(missing_ok=True)
            raise
    if transfer.resumes and (size := _size(kept)):
        raise DownloadError(
            f"{transfer.url}: {trouble}; {size:,} bytes are kept; to go on, run again: {transfer.again}"
        )
    kept.unlink(missing_ok=True)
    raise DownloadError(
        f"{transfer.url}: {trouble}; try again later: {transfer.again}; or {transfer.by_hand}"
    )


def _attempt(transfer: Transfer, patience: Patience, reporter: Reporter) -> None:
    start = _size(transfer.partial)
    if start and start == transfer.size:  # an earlier call was stopped right after its last byte
        return
    headers = {"User-Agent": "ganprune", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    session = requests.Session()
    session.hooks["response"].append(refuse_downgrade)
    try:
        with (
            session,
            session.get(transfer.url, headers=headers, stream=True, timeout=patience.timeout) as response,
        ):
            _check_status(response, transfer)
            _receive(response, transfer, start if response.status_code == 206 else 0, patience, reporter)
    except ChunkedEncodingError as error:  # the body is shorter than the server has said
        raise _Broken(f"the connection was cut after {_size(transfer.partial):,} bytes") from error
    except (requests.ConnectionError, requests.Timeout) as error:
        if error.args and isinstance(error.args[0], MaxRetryError):  # no connection came about
            host = urlsplit(transfer.url).netloc
            raise DownloadError(
                f"{transfer.url}: {host} cannot be reached ({_reason(error)}); "
                f"connect to the internet and run again: {transfer.again}; or {transfer.by_hand}"
            ) from None
        raise _Broken(f"the connection broke ({_reason(error)})") from error
    except (requests.RequestException, ValueError) as error:  # it sends on to an address that is none
        raise DownloadError(
            f"{transfer.url}: refused what the server answered ({_reason(error)}); look for it with a "
            "browser, and give its address with --from URL"
        ) from None


def refuse_downgrade(response: requests.Response, **_: object) -> None:
    """Raise `DownloadError` where an answer sends on from https to http."""
    target = response.headers.get("Location", "")
    if response.is_redirect and response.url.startswith("https:") and target.startswith("http:"):
        raise DownloadError(f"{response.url}: refused to follow a redirect to {target}, which is less safe")


def _check_status(response: requests.Response, transfer: Transfer) -> None:
    if response.status_code in (200, 206):
        return
    answer = f"the server answered {response.status_code} {' '.join(response.reason.split())}"
    if response.status_code == 416:
        transfer.partial.unlink(missing_ok=True)
    if response.status_code in _TRANSIENT:
        raise _Broken(answer)
    raise DownloadError(
        f"{transfer.url}: {answer}; look for it with a browser, and give its address with --from URL"
    )


def _receive(
    response: requests.Response, transfer: Transfer, start: int, patience: Patience, reporter: Reporter
) -> None:
    """Write the body behind the first ``start`` bytes of the partial file, and see that it is whole."""
    told = response.headers.get("Content-Length", "")
    total = start + int(told) if told.isdecimal() else None
    if None not in (total, transfer.size) and total != transfer.size:
        raise _wrong_size(transfer, f"the server offers {total:,}")
    most = patience.most if transfer.size is None else transfer.size
    if (total or 0) > most:
        raise _too_large(transfer, most)
    if total is None:
        reporter.info(f"fetching {transfer.partial.name}; the server does not say how large it is")
        reporter = SILENT
    done, began = start, time.monotonic()
    title = f"{transfer.partial.name}, MiB"
    with (
        transfer.partial.open("ab" if start else "wb") as file,
        reporter.task(title, _mebibytes(total or 0), _mebibytes(start)) as task,
    ):
        for chunk in response.iter_content(_CHUNK):
            file.write(chunk)
            file.flush()  # a kill loses nothing that came
            before, done = done, done + len(chunk)
            if done > most:
                raise _too_large(transfer, most)
            seconds = time.monotonic() - began
            if seconds > patience.slow and done - start < patience.slowest * seconds:
                raise _Broken(f"the server sends less than {patience.slowest:g} bytes a second")
            if steps := _mebibytes(done) - _mebibytes(before):
                task.advance(steps, speed=f"{(done - start) / max(seconds, 1e-3) / 1e6:.1f} MB/s")
    if transfer.size is not None and done != transfer.size:
        raise _wrong_size(transfer, f"{done:,} came")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _mebibytes(size: int) -> int:
    """Rounded up."""
    return -(-size >> 20)


def _wrong_size(transfer: Transfer, found: str) -> DownloadError:
    return DownloadError(
        f"{transfer.url}: needed {transfer.size:,} bytes, {found}; the file may have been replaced: "
        f"look at it with a browser; --from {transfer.url} takes what is there"
    )


def _too_large(transfer: Transfer, most: int) -> DownloadError:
    return DownloadError(
        f"{transfer.url}: needed at most {most:,} bytes, the server sends more; {transfer.by_hand}"
    )


def _reason(error: BaseException) -> str:
    """What the system said, around which urllib3 and requests put errors of their own."""
    told: BaseException | None = error
    while told is not None:
        if isinstance(told, TimeoutError):
            return "no answer in time"
        if isinstance(told, OSError) and told.strerror:
            return told.strerror
        told = told.__cause__ or told.__context__
    return " ".join(str(error).split()) or type(error).__name__
