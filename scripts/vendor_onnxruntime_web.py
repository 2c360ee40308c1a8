"""Get onnxruntime-web from npm, once, for `ganprune report --serve`; from then on no network is needed.

    python scripts/vendor_onnxruntime_web.py

Runs `npm pack` for the one version that ganprune knows, checks its hash and keeps what a page needs in the
user's cache folder.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ganprune.errors import GanpruneError
from ganprune.report.vendor import ENGINES, PACKAGE, TARBALL, VERSION, command, keep, missing, runtime_folder


def main() -> None:
    if not any(missing(engine, runtime_folder()) for engine in ENGINES):
        print(runtime_folder())
        return
    npm = shutil.which("npm")
    if npm is None:
        sys.exit(f"needed npm, found none on the PATH; run `{command()}` where there is one, then "
                 f"`ganprune report --serve --runtime {TARBALL}`")  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        try:
            subprocess.run(
                [npm, "pack", f"{PACKAGE}@{VERSION}", "--silent", "--pack-destination", folder], check=True
            )
            print(keep(Path(folder) / TARBALL))
        except (subprocess.CalledProcessError, GanpruneError) as error:
            sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
