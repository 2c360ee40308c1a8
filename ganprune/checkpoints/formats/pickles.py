"""What is pickled in a checkpoint, read without running any of it.

A pickle is a program for a small stack machine. `unpickled` steps through that program with
``pickletools.genops``, which only decodes, and understands the few instructions that ``torch.save``
writes for state dicts and for the plain values beside them. Everything else is refused by name. What
is checked is what is loaded: tensors come out of the same pass, and get their numbers from the caller
once their storages are known to be in the file.

Python's own unpickler will not do, whatever globals it is allowed: a key of shared tuples takes forever
to hash, a far memo fills the memory.

Source: Python's ``pickletools`` module, which documents each instruction; ``torch/_utils.py``,
``_rebuild_tensor_v2``.
"""

import math
import pickletools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal, cast

import torch
from torch import Tensor

from ganprune.errors import CheckpointError, UnsafeCheckpoint

MAX_OPCODES = 300_000  # a state dict needs about forty instructions a tensor, a list of losses one an entry

MAX_DIMENSIONS = 8  # tensors of more are refused

MAX_ARGUMENTS = 8  # calls with more are refused; a tensor is rebuilt from six

MAX_SHARING = 4  # tensors that share storages may count this many times the elements that are stored

MAX_KEY = 1 << 48
"""Integer keys are smaller: parameters' numbers, or their addresses as optimizers once had them.

Python's hash of an integer is its remainder by 2⁶¹ - 1, so larger ones can be made to have one hash all.
"""

DTYPES = {
    "DoubleStorage": torch.float64, "FloatStorage": torch.float32, "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16, "LongStorage": torch.int64, "IntStorage": torch.int32,
    "ShortStorage": torch.int16, "CharStorage": torch.int8, "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}  # fmt: skip
"""Storage classes of torch and what they hold."""

_STORAGES = {f"torch {name}": dtype for name, dtype in DTYPES.items()}
_REBUILD = {"torch._utils _rebuild_tensor", "torch._utils _rebuild_tensor_v2"}
_PARAMETER = "torch._utils _rebuild_parameter"
_DICTS = {"collections OrderedDict", "collections Counter"}  # a MultiStepLR keeps a Counter
_PLAIN = {
    "_codecs encode", "numpy dtype", "numpy ndarray", "torch Size", "torch device",
    *(str(dtype).replace(".", " ") for dtype in DTYPES.values()),
    *(f"numpy.{core}.multiarray {name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
}  # fmt: skip
"""Classes and functions that make harmless values no network needs; they are never called."""
_HARMLESS = {*_STORAGES, *_REBUILD, _PARAMETER, *_DICTS, *_PLAIN}


@dataclass(frozen=True, slots=True)
class Storage:
    """A run of elements in the file, which tensors are views of."""

    key: str  # name of the storage inside the file
    elements: int  # number of elements
    dtype: torch.dtype

    @property
    def bytes(self) -> int:
        """Size of the whole storage, bytes."""
        return self.elements * self.dtype.itemsize


class PlainValue:
    """Stands for a value that is stepped over: a NumPy scalar or array, a size, a device."""


@dataclass(slots=True)
class Unpickled:
    """What a pickle holds."""

    device: Literal["cpu", "meta"]  # of the tensors: meta for those that will never have numbers
    storages: dict[str, Storage] = field(default_factory=dict[str, Storage])  # storages by key
    root: object = None  # the object itself: dicts, lists, tuples, plain values and tensors
    views: list[tuple[Tensor, Storage, int, tuple[int, ...], tuple[int, ...]]] = field(
        default_factory=list[Any]
    )
    """Every tensor, with its storage, offset, size and stride there; it is all zeros until `fill`."""
    copies: int = 0  # entries of dicts that are copied on the way

    def count_copies(self, entries: int) -> None:
        """Raise CheckpointError once more is copied than a state dict asks for."""
        self.copies += entries
        if self.copies > MAX_OPCODES:
            raise CheckpointError(f"its pickle copies more than {MAX_OPCODES} entries, no state dict does")

    def check_sharing(self) -> None:
        """Raise CheckpointError where tensors count far more elements than are stored."""
        stored = sum(storage.elements for storage in self.storages.values())
        claimed = sum(tensor.numel() for tensor, *_ in self.views)
        if claimed > MAX_SHARING * stored:
            raise CheckpointError(
                f"its tensors claim {claimed} elements and share {stored}; the file is made up"
            )

    def fill(self, contents: Mapping[str, bytearray]) -> None:
        """Give the tensors their numbers. ``contents``: all of every storage, by key."""
        storages = dict[str, torch.UntypedStorage]()
        for key, held in contents.items():
            storages[key] = torch.UntypedStorage(
                len(held)
            )  # in torch's own memory, aligned as its kernels like it
            if held:
                torch.empty(0, dtype=torch.uint8).set_(storages[key]).copy_(
                    torch.frombuffer(held, dtype=torch.uint8)
                )
        for tensor, storage, offset, size, stride in self.views:
            tensor.set_(storages[storage.key], offset, size, stride)


@dataclass(frozen=True, slots=True)
class _Global:
    name: str  # "module name", as the GLOBAL instruction spells it


def unpickled(file: BinaryIO, device: Literal["cpu", "meta"] = "meta") -> Unpickled:
    """Step through the one pickle that starts at the file's position, and stop after it.

    Raises UnsafeCheckpoint for a global that a state dict has no need of, CheckpointError for
    instructions, storages or tensors that contradict themselves, and whatever a damaged program
    leads to (ValueError, IndexError, KeyError, TypeError, AttributeError).
    """
    result, stack, marks, memo = Unpickled(device), list[Any](), list[list[Any]](), dict[int, Any]()
    program = cast("Iterable[tuple[pickletools.OpcodeInfo, Any, int]]", pickletools.genops(file))
    for step, (opcode, argument, _) in enumerate(program):
        if step > MAX_OPCODES:
            raise CheckpointError(f"its pickle has more than {MAX_OPCODES} instructions, no state dict does")
        match opcode.name:
            case "PROTO" | "FRAME":
                pass
            case "STOP":
                result.root = stack.pop()
                return result
            case "MARK":
                marks.append(stack)
                stack = []
            case "NONE" | "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINFLOAT":
                stack.append(argument)
            case "NEWTRUE" | "NEWFALSE":
                stack.append(opcode.name == "NEWTRUE")
            case "BINUNICODE" | "SHORT_BINUNICODE" | "BINSTRING" | "SHORT_BINSTRING":
                stack.append(argument)
            case "BINBYTES" | "SHORT_BINBYTES":
                stack.append(argument)
            case "EMPTY_DICT":
                stack.append({})
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_TUPLE":
                stack.append(())
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                count = int(opcode.name[-1])
                stack[-count:] = [_popped(stack, count)]
            case "TUPLE":
                items, stack = tuple(stack), marks.pop()
                stack.append(items)
            case "BINPUT" | "LONG_BINPUT":
                memo[argument] = stack[-1]
            case "MEMOIZE":
                memo[len(memo)] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(memo[argument])
            case "APPEND":
                item = stack.pop()
                stack[-1].append(item)
            case "APPENDS":
                items, stack = stack, marks.pop()
                stack[-1].extend(items)
            case "SETITEM":
                items = [stack.pop(), stack.pop()]
                _set_items(stack[-1], items[::-1])
            case "SETITEMS":
                items, stack = stack, marks.pop()
                _set_items(stack[-1], items)
            case "GLOBAL" | "INST":
                stack.append(_known(argument))
            case "STACK_GLOBAL":
                stack[-2:] = [_known(" ".join(_popped(stack, 2)))]
            case "BINPERSID":
                stack.append(_storage(stack.pop(), result))
            case "REDUCE":
                arguments = stack.pop()
                stack[-1] = _called(stack[-1], arguments, result)
            case "BUILD" if isinstance(stack[-2], PlainValue):
                stack.pop()
            case "BUILD" if _are_dicts(stack[-2:]):
                result.count_copies(len(stack.pop()))  # version numbers that torch keeps beside a state dict
            case _:
                raise CheckpointError(f"its pickle holds the instruction {opcode.name}, no state dict does")
    raise ValueError("the pickle has no end")


def _are_dicts(values: list[Any]) -> bool:
    return all(isinstance(value, dict) for value in values)


def _popped(stack: list[Any], count: int) -> tuple[Any, ...]:
    if len(stack) < count:
        raise IndexError("the pickle takes more than it has put")
    return tuple(stack[-count:])


def _known(name: str) -> _Global:
    if name not in _HARMLESS:
        raise UnsafeCheckpoint(
            f"its pickle asks for {name.replace(' ', '.')}, which could run code; nothing was run; "
            "save the network's state_dict() alone"
        )
    return _Global(name)


def _check_keys(keys: Iterable[Any]) -> None:
    # Hashing, comparing or printing a tuple of shared tuples can take forever: plain keys alone pass.
    for key in keys:
        if not isinstance(key, (str, int)):
            raise CheckpointError(f"a key of its dict is a {type(key).__name__}, names were needed")
        if isinstance(key, int) and abs(key) >= MAX_KEY:
            raise CheckpointError(
                f"a key of its dict is an integer of {key.bit_length()} bits, no state dict's is"
            )


def _set_items(target: Any, items: list[Any]) -> None:
    _check_keys(items[::2])
    for key, value in zip(items[::2], items[1::2], strict=True):
        target[key] = value


def _natural(*numbers: Any) -> bool:
    return all(isinstance(number, int) and 0 <= number < 1 << 63 for number in numbers)


def _storage(reference: Any, result: Unpickled) -> Storage:
    _, storage_class, key, _, elements, *view = reference
    _check_keys([key])
    if not _natural(elements):
        raise CheckpointError("a storage of its pickle is declared without a number of elements")
    if view and view != [None]:
        raise CheckpointError("a storage of its pickle is part of another; save it again with a newer torch")
    storage = Storage(str(key), elements, _STORAGES[storage_class.name])
    if result.storages.setdefault(storage.key, storage) != storage:
        raise CheckpointError(f"storage {storage.key} is declared twice and differently")
    return storage


def _called(function: Any, arguments: Any, result: Unpickled) -> Any:
    if len(arguments) > MAX_ARGUMENTS:
        raise CheckpointError(f"its pickle makes a call with {len(arguments)} arguments, no state dict does")
    if function.name in _PLAIN:
        return PlainValue()
    if function.name in _DICTS:
        held = arguments[0] if arguments else ()
        result.count_copies(len(held))
        pairs = list(held.items() if isinstance(held, dict) else held)  # Python 2 passed the items here
        _check_keys(key for key, _ in pairs)
        return dict[Any, Any](pairs)
    if function.name == _PARAMETER:
        return arguments[0]
    if function.name not in _REBUILD:
        raise CheckpointError(f"its pickle calls {function.name.replace(' ', '.')}, no state dict does")
    return _tensor(arguments, result)


def _tensor(arguments: Any, result: Unpickled) -> Tensor:
    storage, offset, size, stride, *_ = arguments
    fits = isinstance(storage, Storage) and len(size) == len(stride) <= MAX_DIMENSIONS
    if not fits or not _natural(offset, *size, *stride):
        raise CheckpointError("a tensor of its pickle is declared without a proper shape")
    elements = math.prod(size)
    end = offset + 1 + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) if elements else 0
    if max(elements, end) > storage.elements:
        raise CheckpointError(
            f"a tensor of shape {list(size)}, strides {list(stride)} and offset {offset} is declared over "
            f"{storage.elements} stored elements; the file is damaged or made up"
        )
    # One zero seen as many: the shape is there, and takes no memory.
    tensor = torch.zeros((), dtype=storage.dtype, device=result.device).expand(size)
    result.views.append((tensor, storage, offset, size, stride))
    return tensor
