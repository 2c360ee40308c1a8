"""Install a wheel into a new environment outside the repository and run what a new user would.

    python scripts/try_wheel.py dist/ganprune-0.2.0-py3-none-any.whl [--borrow]

--borrow: take the dependencies from the environment that runs this, which saves their download.
"""

import argparse
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from tempfile import TemporaryDirectory

EXAMPLE = "from ganprune.example import CHECKPOINT; print(CHECKPOINT)"


def try_wheel(wheel: Path, folder: Path, borrow: bool) -> None:
    """Raises `subprocess.CalledProcessError` where a command fails."""
    venv.create(folder / "venv", with_pip=True)
    programs = folder / "venv" / "bin"

    def run(*words: object) -> str:
        command = [str(word) for word in words]
        sys.stderr.write(f"$ {' '.join(command)}\n")
        return subprocess.run(command, cwd=folder, check=True, text=True, stdout=subprocess.PIPE).stdout

    pip = (programs / "python", "-m", "pip", "install", "--quiet")
    if borrow:
        run(*pip, "--no-deps", wheel)
        (own,) = (folder / "venv" / "lib").glob("python*/site-packages")
        (own / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    else:
        run(*pip, wheel)
    example = run(programs / "python", "-P", "-c", EXAMPLE).strip()
    if not Path(example).is_relative_to(folder):
        raise SystemExit(f"the wheel's own package was to be imported, found {example}")
    ganprune = programs / "ganprune"
    run(ganprune, "--help")
    run(ganprune, "presets")
    run(ganprune, "inspect", example)
    run(ganprune, "export", "--onnx", Path(example) / "latest_net_G_A.pth", "--size", 32, "-o", "onnx")
    if not (folder / "onnx" / "G.onnx").is_file():
        raise SystemExit("export was to write onnx/G.onnx, found nothing")


def main() -> None:
    """Parse and do."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--borrow", action="store_true")
    options = parser.parse_args()
    with TemporaryDirectory(prefix="wheel-") as folder:
        try_wheel(options.wheel.resolve(), Path(folder).resolve(), options.borrow)


if __name__ == "__main__":
    main()
