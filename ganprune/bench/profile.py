"""Where a network's time goes: what each kind of operator takes, as the runtime logs it."""

from collections.abc import Sequence
from dataclasses import dataclass

from ganprune.storage.tables import Table, in_threads

PROFILED_RUNS = 7  # runs that a profile is the median of
SMALL = 0.01  # kinds of operators that take less than this share of every network's time are shown as one
OTHERS = "others"  # what these are called together


@dataclass(frozen=True, slots=True)
class Profile:
    """What the operators of one network take. Keeping a log costs time: timed runs keep none."""

    network: str
    threads: int
    operators: dict[str, float]
    """Milliseconds a run (median) by kind of operator, as the runtime names them after its own rewrites."""

    @property
    def total(self) -> float:
        """Milliseconds that all of them take together."""
        return sum(self.operators.values())

    def share(self, operator: str) -> float:
        """Of the whole time, 0 to 1."""
        return self.operators.get(operator, 0.0) / self.total


def groups_of(profiles: Sequence[Profile], against: dict[str, str | None]) -> list[list[Profile]]:
    """A baseline and all that is compared with it, in one list each. against: baselines by network."""
    groups: dict[str, list[Profile]] = {}
    for profile in profiles:
        groups.setdefault(against[profile.network] or profile.network, []).append(profile)
    return list(groups.values())


def with_others(profiles: Sequence[Profile]) -> list[Profile]:
    """The same with small operators added up; largest first, in the order of the first network."""
    kinds = {kind for profile in profiles for kind in profile.operators}
    large = [kind for kind in kinds if any(profile.share(kind) >= SMALL for profile in profiles)]
    large.sort(key=lambda kind: ([-profile.share(kind) for profile in profiles], kind))
    found: list[Profile] = []
    for profile in profiles:
        kept = {kind: profile.operators[kind] for kind in large if kind in profile.operators}
        rest = sum(profile.operators.values()) - sum(kept.values())
        found.append(
            Profile(
                profile.network, profile.threads, kept | ({OTHERS: rest} if len(large) < len(kinds) else {})
            )
        )
    return found


def profile_table(profiles: Sequence[Profile]) -> Table:
    """One row a kind of operator, one column a network: milliseconds and share."""
    shown = with_others(profiles)
    kinds = list(dict.fromkeys(kind for profile in shown for kind in profile.operators if kind != OTHERS))
    if any(OTHERS in profile.operators for profile in shown):
        kinds.append(OTHERS)

    def cell(profile: Profile, kind: str) -> str:
        if kind not in profile.operators:
            return "–"
        return f"{profile.operators[kind]:.2f} ({profile.share(kind):.0%})"

    rows = [(kind, *(cell(profile, kind) for profile in shown)) for kind in kinds]
    rows.append(("all", *(f"{profile.total:.2f}" for profile in shown)))
    title = f"Time by operator, ms a run, {in_threads(profiles[0].threads)}"
    return Table(title, ("operator", *(profile.network for profile in shown)), tuple(rows))
