"""Get onnxruntime-web, once, for `ganprune report --serve`; from then on no network is needed.

    python scripts/vendor_onnxruntime_web.py

Runs `npm pack` for the one version that ganprune knows, or without npm fetches what a page needs of it from
a mirror; checks hashes and keeps it in the user's cache folder.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ganprune.errors import GanpruneError
from ganprune.report.vendor import ENGINES, PACKAGE, TARBALL, VERSION, bring, keep, missing, runtime_folder


def main() -> None:
    npm = shutil.which("npm")
    try:
        if npm is None:
            for engine in ENGINES:
                bring(engine, runtime_folder())
        elif any(missing(engine, runtime_folder()) for engine in ENGINES):
            with tempfile.TemporaryDirectory() as folder:
                subprocess.run(
                    [npm, "pack", f"{PACKAGE}@{VERSION}", "--silent", "--pack-destination", folder],
                    check=True,
                )
                keep(Path(folder) / TARBALL)
    except (subprocess.CalledProcessError, GanpruneError) as error:
        sys.exit(f"error: {error}")
    print(runtime_folder())


if __name__ == "__main__":
    main()
