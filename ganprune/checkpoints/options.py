"""The options that CycleGAN writes beside its checkpoints.

Format: lines of ``name: value`` and, where the value is not the default, ``[default: x]``, between
two dashed lines. Source: pytorch-CycleGAN-and-pix2pix, ``options/base_options.py``,
``print_options``; the file was called ``opt.txt`` before 2018.
"""

from pathlib import Path

from ganprune.errors import UnsupportedArchitecture

FILES = ("train_opt.txt", "opt.txt")  # names of the file, the newer first

MAX_BYTES = 1 << 20  # no more than this is read of it

RENAMED = {
    "batchSize": "batch_size", "fineSize": "crop_size", "loadSize": "load_size", "nThreads": "num_threads",
    "resize_or_crop": "preprocess", "which_direction": "direction", "which_epoch": "epoch",
    "which_model_netD": "netD", "which_model_netG": "netG",
}  # fmt: skip
"""Old spellings of options and what they are called since 2018."""


UNREAD = {
    "learn_residual": "it adds its input to what it draws",
    "no_tanh": "no tanh comes last",
}
"""Options of forks, and what they make of a generator whose tensors are CycleGAN's."""


def check_read(folder: Path) -> None:
    """Raises UnsupportedArchitecture where the options say what no reader builds and no tensor tells."""
    options = read_options(folder)
    for name, means in UNREAD.items():
        if options.get(name) == "True":
            raise UnsupportedArchitecture(
                f"the options of its training say {name}: {means}, which its tensors do not tell; bring it "
                "as a module of your own: --generator FILE.py:FACTORY"
            )


def read_options(folder: Path) -> dict[str, str]:
    """Options of the training in ``folder``, by their newer names; empty when there is no file to read."""
    for name in FILES:
        try:
            if not (folder / name).is_file():  # a pipe of that name would never end
                continue
            with (folder / name).open("rb") as file:
                return _parsed(file.read(MAX_BYTES).decode("utf-8", errors="replace"))
        except OSError:
            continue
    return {}


def _parsed(text: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon and name.strip().isidentifier():
            options[RENAMED.get(name.strip(), name.strip())] = value.partition("[default:")[0].strip()
    if "no_lsgan" in options:  # one flag then, a choice now
        options["gan_mode"] = "vanilla" if options.pop("no_lsgan") == "True" else "lsgan"
    return options
