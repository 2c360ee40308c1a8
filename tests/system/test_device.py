import pytest
import torch

from ganprune.errors import UsageError
from ganprune.system.device import resolve_device, resolve_precision, resolve_threads


def test_auto_device_is_cuda_where_there_is_one() -> None:
    assert resolve_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    assert resolve_device("cpu") == "cpu"


@pytest.mark.parametrize("name", ["gpu", "mps", "meta", "", "cuda:x"])
def test_unknown_devices_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"--device must be cpu, cuda, cuda:N or auto, found '{name}'"):
        resolve_device(name)


def test_a_device_that_is_not_there_is_refused() -> None:
    found = torch.cuda.device_count()
    with pytest.raises(UsageError, match=f"--device cuda:{found} needs .* found {found} on this machine"):
        resolve_device(f"cuda:{found}")


def test_precision_is_the_one_asked_for_or_one_of_the_two() -> None:
    assert resolve_precision("float32", "cpu") == "float32"
    assert resolve_precision("bfloat16", "cpu") == "bfloat16"
    assert resolve_precision("auto", "cpu") in ("float32", "bfloat16")
    with pytest.raises(UsageError, match="--set precision must be float32, bfloat16 or auto, found 'half'"):
        resolve_precision("half", "cpu")


def test_threads_are_those_asked_for_or_at_least_one() -> None:
    assert resolve_threads(3) == 3
    assert resolve_threads(None) >= 1
    with pytest.raises(UsageError, match="--threads must be 1 to 1024, found 0"):
        resolve_threads(0)
