"""ONNX Runtime's CPU provider, for all but `ganprune.bench`, whose processes import nothing of ganprune."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ganprune.errors import InputError
from ganprune.onnx_files.cost import picture_input, read_onnx, spelled

if TYPE_CHECKING:
    from onnx import ModelProto
    from onnxruntime import InferenceSession


def session_of(
    model: "Path | ModelProto", threads: int | None = None, optimized: Path | None = None
) -> "InferenceSession":
    """A model that is ready to run. What goes wrong is raised, not logged.

    threads: None: all cores. optimized: where to write what the runtime made of the graph; None: nowhere.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    if threads is not None:
        options.intra_op_num_threads = options.inter_op_num_threads = threads
    if optimized is not None:
        options.optimized_model_filepath = str(optimized)
    given = model if isinstance(model, Path) else model.SerializeToString()
    return onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])


class FloatNetwork:
    """An ONNX file of anyone's that takes float32 pictures [n, c, h, w]; the first of its outputs counts."""

    def __init__(
        self, path: Path, threads: int, needed: str, advice: str, channels: int | None = None
    ) -> None:
        """Load the file. needed: which network that is to be, and advice: how to come by it, for a message.

        channels: that its pictures must have. Raises `UsageError` if there is no such file, `InputError` if
        it is damaged, takes other pictures, or cannot be run.
        """
        self.path, self.takes = path, picture_input(read_onnx(path), path)
        """The file's input: free sizes are None."""
        takes = self.takes
        if (
            takes.dtype != "float32"
            or takes.channels_last
            or (channels and takes.dims[1] not in (channels, None))
        ):
            raise InputError(
                f"{path}: needed a network of {needed}, found that {takes.name} is {takes.dtype} "
                f"{spelled(takes.dims)}; {advice}"
            )
        with self._running():
            self._session = session_of(path, threads)
        self.gives: list[int | str] = self._session.get_outputs()[0].shape
        """Sizes of what comes out, as far as the file says them."""

    def __call__(self, pictures: NDArray[np.float32]) -> NDArray[Any]:
        """The output for float32 [n, c, h, w]. Raises `InputError` where the file does not run."""
        with self._running():
            return np.asarray(self._session.run(None, {self.takes.name: pictures})[0])

    @contextmanager
    def _running(self) -> Generator[None]:
        try:
            yield
        except Exception as error:  # ONNX Runtime's own errors have no common base but this
            reason = " ".join(str(error).split())
            raise InputError(
                f"{self.path}: needed a network that ONNX Runtime can run, it says: {reason}"
            ) from error
