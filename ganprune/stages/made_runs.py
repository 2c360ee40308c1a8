"""What a run that is over was made by; ``export``, ``evaluate`` and ``translate`` ask it first."""

from ganprune.errors import RunError, UsageError
from ganprune.runs import Run
from ganprune.settings import CompressSettings
from ganprune.system.shell import command_line


def made_by(run: Run) -> CompressSettings:
    """The settings of a run. Raises `RunError` where they are damaged, or it has no slim generators yet."""
    try:
        settings = CompressSettings.from_flat(run.config["settings"])
    except UsageError as error:
        raise RunError(
            f"{run / 'config.toml'} is damaged ({error}); start a new run with `-o` another folder"
        ) from None
    if not all((run / f"G_{side}.safetensors").is_file() for side in settings.search.sides):
        command = run.command or command_line("compress", "CKPT", "--data", "DIR", "-o", run.folder)
        raise RunError(f"{run.folder} has no slim generators yet; finish it first: {command}")
    return settings
