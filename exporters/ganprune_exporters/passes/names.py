"""How rewrites are called, in the order in which they are done, and what can be chosen for each."""

from ganprune.errors import UsageError

PASSES: dict[str, tuple[str, tuple[int, ...]]] = {
    "dead-biases": ("DeadBiases", ()),
    "last-convolution": ("LastConvolution", (4, 2, 8)),
    "transposed-convolutions": ("TransposedConvolutions", ()),
    "winograd": ("Winograd", (192, 128, 96)),
    "plain-pads": ("PlainPads", ()),
    "plain-transposed-convolutions": ("PlainTransposedConvolutions", ()),
    "plain-norms": ("PlainNorms", ()),
}
"""Name, which is its module's, → class, and what it may be set to, the default first. last-convolution:
pixels of a block's side; winograd: channels from which on layers are rewritten."""
CHOICES = {name: choices for name, (_, choices) in PASSES.items() if not name.startswith("plain-")}
"""Those that make a graph faster, and what each may be set to."""

PORTABLE = ("dead-biases", *(name for name in PASSES if name not in CHOICES))
"""Those of a file for runtimes that lack operators."""

DEFAULT = tuple(f"{name}={choices[0]}" if choices else name for name, choices in CHOICES.items())
"""All of `CHOICES`, spelled as in `parsed`."""


def parsed(spec: str) -> tuple[str, int | None]:
    """``last-convolution=8`` → name and choice. Raises `UsageError` for what there is not."""
    name, equals, number = spec.partition("=")
    if name not in PASSES:
        raise UsageError(f"there is no pass {name}, only {', '.join(PASSES)}")
    _, choices = PASSES[name]
    if not equals:
        return name, choices[0] if choices else None
    if not number.isdigit() or int(number) not in choices:
        known = f"one of {', '.join(map(str, choices))}" if choices else "no number"
        raise UsageError(f"pass {name} takes {known}, found {number!r}")
    return name, int(number)


def without(names: tuple[str, ...]) -> tuple[str, ...]:
    """`DEFAULT` less some; ``all`` stands for every one. Raises `UsageError` for names there are not."""
    for name in names:
        if name != "all" and name not in CHOICES:
            raise UsageError(f"--set no-pass takes {', '.join(CHOICES)} or all, found {name}")
    return tuple(spec for spec in DEFAULT if "all" not in names and parsed(spec)[0] not in names)
