"""What a failure of the machine looks like from Python: memory that runs out, a GPU that is gone.

Told by names and texts, so that nothing heavy is imported to look at an exception. PyTorch has a class of its
own for a GPU without memory, and raises a bare RuntimeError for a CPU; oneDNN and C++ say it in other words.
"""

_MEMORY = ("can't allocate memory", "not enough memory", "bad_alloc", "could not create a memory object")
"""Parts of the messages of CPU allocators: PyTorch's on Linux and Windows, C++'s, oneDNN's."""
_PRIMITIVE = "could not create a primitive"
"""What oneDNN says, and nothing more, where it has no memory for the code of a convolution."""
_DEVICE = ("cuda error", "cudnn error", "cublas error", "cudnn_status_", "cublas_status_", "nvml")
"""Parts of the messages of a CUDA device that fails in the middle of work."""


def out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, of the machine or of a GPU."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and (text == _PRIMITIVE or any(p in text for p in _MEMORY))


def device_lost(error: BaseException) -> bool:
    """Whether a GPU failed or disappeared; see `out_of_memory` for one that is merely full."""
    if out_of_memory(error):
        return False
    if type(error).__name__ == "AcceleratorError":
        return True
    return isinstance(error, RuntimeError) and any(part in str(error).lower() for part in _DEVICE)
