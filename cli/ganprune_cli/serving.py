"""``report --serve``: a run's report, and the page that translates, on the loopback address."""

from pathlib import Path

from ganprune.report.page import REPORT
from ganprune.report.server import HOST, page_server
from ganprune.report.vendor import keep, runtime_folder
from ganprune.reporting import Reporter
from ganprune.runs import Run
from ganprune.stages.reporting import make_report
from ganprune_cli.console import say


def serve(run: Run, port: int, runtime: Path | None, reporter: Reporter) -> None:
    """Serve a run's pages on the loopback address until Ctrl-C.

    runtime: onnxruntime-web as ``npm pack`` wrote it, kept for later; None: what was kept, or the page asks
    whether it may fetch it.
    """
    folder = runtime_folder() if runtime is None else keep(runtime)
    if not (run / REPORT).is_file():
        make_report(run, None, reporter)
    with page_server(run, folder, port) as server:
        address = f"http://{HOST}:{server.server_address[1]}/"
        say(f"translate in the browser: {address}")
        say(f"the run's report: {address}{REPORT}")
        reporter.info("Ctrl-C ends it")
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            reporter.info("\nended")
