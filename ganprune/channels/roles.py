"""Groups of units, their names and the part that each plays, found from who writes and reads whom."""

from collections.abc import Callable, Mapping, Sequence

from ganprune.channels.graph import Group, Layer, Role
from ganprune.channels.units import Channels, Units


def groups_of(
    written: Sequence[tuple[Layer, Channels]], units: Units, gone: Sequence[int]
) -> tuple[Callable[[Sequence[Layer]], Mapping[str, Group]], dict[int, int]]:
    """Units of the convolutions, in the order in which they are written.

    written: every convolution, and the channels that it writes. gone: for each, how many residual blocks that
    were taken out come before it. Returns how to name the groups once the
    layers' units are known, and the place of each unit that can go, by its root.
    """
    writers = dict[int, list[int]]()  # of each root: the convolutions that write it, once a filter
    for i, (layer, channels) in enumerate(written):
        for root in units.roots(channels).tolist():
            if not layer.depthwise and not units.is_whole(root):
                writers.setdefault(root, []).append(i)
    together = dict[tuple[int, ...], list[int]]()
    for root, who in writers.items():
        together.setdefault(tuple(who), []).append(root)
    place, slices = dict[int, int](), list[slice]()
    for roots in together.values():
        slices.append(slice(len(place), len(place) + len(roots)))
        for root in roots:
            place[root] = len(place)

    def named(layers: Sequence[Layer]) -> Mapping[str, Group]:
        return _named(layers, slices, gone)

    return named, place


def _named(layers: Sequence[Layer], slices: Sequence[slice], gone: Sequence[int]) -> Mapping[str, Group]:
    writers = [
        [i for i, layer in enumerate(layers) if _in(layer.writes, s) and not layer.depthwise] for s in slices
    ]
    readers = [[i for i, layer in enumerate(layers) if _in(layer.reads, s)] for s in slices]
    trunks = [g for g, who in enumerate(writers) if len(who) > 1]
    if not trunks and slices:
        # Without residual sums: where maps are smallest.
        trunks = [min(range(len(slices)), key=lambda g: layers[writers[g][0]].outputs)]
    found, counts = dict[str, Group](), dict[str, int]()
    for g, piece in enumerate(slices):
        role = _role(g, trunks, writers, readers)
        counts[role] = n = counts.get(role, 0) + 1
        number = n - 1 + gone[writers[g][0]] if role == "inner" else n
        name = role if n == 1 and role not in ("inner", "up") else f"{role}{number}"
        found[name] = Group(name, role, piece)
    return found


def _role(g: int, trunks: Sequence[int], writers: Sequence[list[int]], readers: Sequence[list[int]]) -> Role:
    if g in trunks:
        return "trunk"
    first, last = writers[g][0], max(readers[g], default=writers[g][0])
    if any(writers[t][0] < first and last <= writers[t][-1] for t in trunks):
        return "inner"
    if first > max(writers[t][-1] for t in trunks):
        return "up"
    return "stem" if first == 0 else "down"


def _in(units: Channels, piece: slice) -> bool:
    return bool(((units >= piece.start) & (units < piece.stop)).any())
