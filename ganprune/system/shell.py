"""Texts as a terminal may show them, and command lines as a shell may be given them."""

import shlex
import unicodedata
from pathlib import Path

from ganprune.system.hub import origin

_UNSHOWN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
"""Unicode's categories of letters that steer a terminal, turn text round, or are none."""


def is_shown(letter: str) -> bool:
    """Whether a letter shows itself, and does nothing else to a terminal."""
    return letter.isprintable() or letter == "\n" or unicodedata.category(letter) not in _UNSHOWN


def shown(text: object) -> str:
    """A text as it may be shown, whatever names are in it: one letter for each that steers a terminal."""
    return "".join(letter if is_shown(letter) else "�" for letter in str(text))


def pasted(word: object) -> str:
    """A word for a shell; letters that are not shown as $'…' spells them."""
    text = str(word)
    if all(map(is_shown, text)) and "\n" not in text:
        return shlex.quote(text)
    return "$'" + "".join(map(_spelled, text)) + "'"


def _spelled(letter: str) -> str:
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a name that is no UTF-8, as Python holds it
        return f"\\x{code - 0xDC00:02x}"
    if letter in "\\'":
        return f"\\{letter}"
    return letter if is_shown(letter) and letter != "\n" else f"\\U{code:08x}"


def command_line(*words: object) -> str:
    """A command of ganprune, to be pasted into a shell; what lies in Hugging Face's cache by its address."""
    asked = ((isinstance(word, Path) and origin(word)) or word for word in words)
    return " ".join(map(pasted, ("ganprune", *asked)))
