"""Groups of units, their names and the part that each plays, found from who writes and reads whom."""

from collections.abc import Callable, Mapping, Sequence

from ganprune.channels.graph import Group, Layer, Role
from ganprune.channels.units import Channels, Units


def groups_of(
    written: Sequence[tuple[Layer, Channels]], units: Units
) -> tuple[Callable[[Sequence[Layer]], Mapping[str, Group]], dict[int, int]]:
    """Units of the convolutions, in the order in which they are written.

    written: every convolution, and the channels that it writes. Returns how to name the groups once the
    layers' units are known, and the place of each unit that can go, by its root.
    """
    component: dict[int, int] = {}  # of each root: the first convolution of its group
    first: list[int] = []
    roots = [[r for r in units.roots(channels).tolist() if not units.is_whole(r)] for _, channels in written]
    for i, own in enumerate(roots):
        known = sorted({component[root] for root in own if root in component})
        first.append(known[0] if known else i)
        for root, before in component.items():
            if before in known[1:]:
                component[root] = known[0]
        component |= dict.fromkeys(own, first[-1])
    place: dict[int, int] = {}
    slices = list[slice]()
    for number in sorted(set(component.values())):
        start = len(place)
        for own in roots:
            for root in own:
                if component[root] == number and root not in place:
                    place[root] = len(place)
        slices.append(slice(start, len(place)))

    def named(layers: Sequence[Layer]) -> Mapping[str, Group]:
        return _named(layers, slices)

    return named, place


def _named(layers: Sequence[Layer], slices: Sequence[slice]) -> Mapping[str, Group]:
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
        number = n - 1 if role == "inner" else n
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
