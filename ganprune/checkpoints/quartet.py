"""The four networks of a CycleGAN, found wherever they lie."""

import hashlib
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from torch import nn

from ganprune.checkpoints.architecture import Role
from ganprune.checkpoints.layouts import LONE_FILE, locate
from ganprune.checkpoints.layouts.files import FILES
from ganprune.checkpoints.layouts.naming import Located
from ganprune.checkpoints.network_file import OpenedNetwork, load_generator, opened
from ganprune.checkpoints.options import read_options
from ganprune.checkpoints.own import READERS_ALONE, Own, check_pictures
from ganprune.errors import CheckpointError, Misfit, MissingNetwork, UnsupportedArchitecture
from ganprune.images import Domain
from ganprune.models import picture_statistics
from ganprune.models.copying import copied
from ganprune.models.fitting import NORMLESS
from ganprune.models.layers import COUNT
from ganprune.models.traits import channels_by_domain, channels_of, norm_of, sees_both
from ganprune.settings.words import NET_NAMES, NetName


@dataclass(frozen=True, slots=True)
class Quartet:
    """A CycleGAN: two generators and two discriminators, as far as they were found.

    All networks are float32, on the CPU, in eval mode, without gradients.
    """

    G_A: nn.Module | None  # translates A to B
    G_B: nn.Module | None  # translates B to A
    D_A: nn.Module | None
    """Judges domain B: real pictures of B against what G_A makes. So whatever the files' naming."""
    D_B: nn.Module | None  # judges domain A
    files: Mapping[NetName, Path] = field(default_factory=dict[NetName, Path])
    """Which file each network came from."""
    naming: str = "in memory"  # title of the layout that the files follow
    notes: tuple[str, ...] = ()  # what a user may want to know, one line each
    options: Mapping[str, str] = field(default_factory=dict[str, str])
    """The training's options by their newer names, when train_opt.txt or opt.txt lies there."""
    looked_for: Mapping[NetName, Path] = field(default_factory=dict[NetName, Path])
    """Where the layout would have each network."""
    source: Path | None = None  # the folder or file that was given
    alone: bool = False
    """Whether there is one generator, and nothing says which way it translates; it is taken as G_A."""

    @property
    def generators(self) -> dict[Domain, nn.Module]:
        """The generators that are there, by the domain that each translates."""
        both: dict[Domain, nn.Module | None] = {"A": self.G_A, "B": self.G_B}
        return {domain: net for domain, net in both.items() if net is not None}

    @property
    def discriminators(self) -> dict[Domain, nn.Module]:
        """The discriminators that are there, each by the domain of the generator that it judges."""
        both: dict[Domain, nn.Module | None] = {"A": self.D_A, "B": self.D_B}
        return {domain: net for domain, net in both.items() if net is not None}

    @property
    def in_pairs(self) -> bool:
        """Whether it was trained on pairs of pictures: a discriminator that sees input and output, or the
        options of the training, say so."""
        judged = [
            (D, self.generators[side]) for side, D in self.discriminators.items() if side in self.generators
        ]
        told = self.options.get("model") == "pix2pix" or self.options.get("dataset_mode") == "aligned"
        return told or any(sees_both(D, G) for D, G in judged)

    @property
    def channels(self) -> dict[Domain, int]:
        """Of the pictures of each domain; see `channels_by_domain`."""
        found = channels_by_domain(
            {name: getattr(self, name) for name in NET_NAMES if name not in self.missing()}
        )
        return {"A": found.get("A", 3), "B": found.get("B", 3)}

    @classmethod
    def of_modules(cls, generator: nn.Module, discriminator: nn.Module | None = None) -> "Quartet":
        """A generator alone, as G_A, and what judges its pictures: copies of a user's modules, in float32 on
        the CPU, in eval mode, without gradients."""

        def read(module: nn.Module) -> nn.Module:
            return copied(module).float().cpu().requires_grad_(False).eval()

        D_A = None if discriminator is None else read(discriminator)
        G_A = read(generator)
        check_pictures(G_A)
        return cls(G_A, None, D_A, None, naming=type(generator).__name__, alone=True)

    def weights_sha256(self) -> dict[str, str]:
        """`weights_hash` of every network that is there."""
        return {name: weights_hash(net) for name in NET_NAMES if (net := getattr(self, name)) is not None}

    def missing(self) -> tuple[NetName, ...]:
        """Names of the networks that are not there."""
        return tuple(name for name in NET_NAMES if getattr(self, name) is None)

    def by_picture(self) -> "Quartet":
        """The same with generators that normalise each picture by its own statistics, told in the notes; see
        `ganprune.models.picture_statistics`."""
        generators = {name: G for name, G in (("G_A", self.G_A), ("G_B", self.G_B)) if G is not None}
        notes = [note for note in self.notes if picture_statistics.OPTION not in note]
        if (note := picture_statistics.told_of(generators, True)) is not None:
            notes.append(note)
        changed = {name: picture_statistics.by_picture(G) for name, G in generators.items()}
        return replace(self, notes=tuple(notes), **changed)

    def require(self, *names: NetName) -> None:
        """Raise MissingNetwork unless all the networks called ``names`` are there."""
        absent = [name for name in self.missing() if name in names]
        if not absent:
            return
        present: list[NetName] = [name for name in NET_NAMES if name not in self.missing()]
        found = ", ".join(
            f"{name} ({self.files[name].name})" if name in self.files else name for name in present
        )
        paths = [path for name, path in self.looked_for.items() if name in absent]
        if len(paths) == len(absent):
            inside = paths[0] in self.files.values()  # one file with several networks
            sought = ", ".join(absent if inside else [path.name for path in paths])
            advice = (
                f"looked for {sought} in {paths[0] if inside else paths[0].parent}; "
                "put the networks of the same training there"
            )
        else:
            folders = " and ".join(sorted({str(path.parent) for path in self.files.values()}))
            advice = (
                f"{self.naming} has no others in {folders}; give a folder with all four networks "
                f"of one training, named {FILES[0].example}"
            )
        if any(name.startswith("G") for name in present):
            advice += (
                ", or train what is missing (CycleGAN's published models come without discriminators): "
                f"`{training_command(self.source)}`"
            )
        raise MissingNetwork(f"needed {' and '.join(absent)}; found {found or 'none'}; {advice}")


def weights_hash(network: nn.Module) -> str:
    """SHA-256 of all tensors, in order: the same whatever file they came from."""
    digest = hashlib.sha256()
    for tensor in network.state_dict().values():
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def training_command(source: Path | None) -> str:
    """The command that trains the networks that a checkpoint lacks, to be pasted into a shell."""
    checkpoint = "CKPT" if source is None else shlex.quote(str(source))
    return f"ganprune train --discriminators-for {checkpoint} --data DIR"


def load_quartet(path: Path, only: Collection[NetName] = NET_NAMES, own: Own = READERS_ALONE) -> Quartet:
    """The CycleGAN in a run folder, or around any one file of it: siblings of the same epoch and naming.

    own: a user's modules that the tensors are of. ``only`` these networks are read; others count as missing,
    whatever is wrong with their files.

    A folder of several epochs gives ``latest``, else the highest. A file with several networks gives
    them all. A file whose name and contents say nothing is taken as G_A, alone.

    Raises UsageError when ``path`` does not exist, CheckpointError when a file is damaged, unsafe,
    of another architecture, or when the networks do not fit together. Networks that are missing are
    no error here, see `Quartet.require`.
    """
    located = locate(path, own.fits)
    return assembled(Path(path), *members_of(located, only, own))


def members_of(
    located: Located, only: Collection[NetName] = NET_NAMES, own: Own = READERS_ALONE
) -> tuple[Located, dict[NetName, OpenedNetwork]]:
    """The networks of a located set, and the set without what is left aside.

    A discriminator of an architecture that is not read, or one that cannot see what the only generator makes,
    is no obstacle to its generators: it counts as missing, with a note.
    """
    members: dict[NetName, OpenedNetwork] = {}
    aside = list[str]()
    for name in located.files:
        if name not in only:
            continue
        try:
            members[name] = open_member(located, name, own)
        except (UnsupportedArchitecture, Misfit) as error:
            if name.startswith("G") or not any(other.startswith("G") for other in located.files):
                raise
            aside.append(f"{name} is left aside: {error}")
    if located.alone and "D_A" in members and "G_A" in members:
        G, D = members["G_A"].network, members["D_A"].network
        (judged, _), (_, made) = channels_of(D), channels_of(G)
        if judged != made and not sees_both(D, G):
            del members["D_A"]
            aside.append(
                f"{located.files['D_A'].name} is left aside: it judges pictures of {judged} channels, the "
                f"generator makes {made}"
            )
    if aside:
        files = {name: path for name, path in located.files.items() if name in members or name not in only}
        located = replace(located, files=files, notes=(*located.notes, *aside))
    return located, members


def load_generators(path: Path, own: Own = READERS_ALONE) -> dict[str, nn.Module]:
    """The generators in a folder or in a file with several networks, as G_A and G_B; that of any other
    file, whatever its siblings, as G.

    Raises the errors of `load_quartet`, and MissingNetwork when there are discriminators alone.
    """
    path = Path(path)
    if path.is_file() and not locate(path, own.fits).entries:
        return {"G": load_generator(path, own)}
    quartet = load_quartet(path, own=own)
    networks = {"G_A": quartet.G_A, "G_B": quartet.G_B}
    if quartet.G_A is None and quartet.G_B is None:
        quartet.require("G_A")
    return {name: network for name, network in networks.items() if network is not None}


def open_member(located: Located, name: NetName, own: Own = READERS_ALONE) -> OpenedNetwork:
    """One network of a located set; raises CheckpointError unless it has the role of its name."""
    path = located.files[name]
    role: Role = "generator" if name.startswith("G") else "discriminator"
    try:
        return opened(path, located.read(path, name), role, located.entries.get(name, ""), own)
    except CheckpointError as error:
        if located.naming == LONE_FILE and "holds a discriminator" in str(error):
            raise CheckpointError(
                f"{error}; a discriminator is read beside its generators, "
                "under the name latest_net_D_A.pth (judges B) or latest_net_D_B.pth (judges A)"
            ) from error
        raise


def assembled(source: Path, located: Located, members: Mapping[NetName, OpenedNetwork]) -> Quartet:
    """The networks that were located at ``source``; raises CheckpointError when they do not fit together."""
    networks = {name: member.network for name, member in members.items()}
    folder = next(iter(located.files.values())).parent
    options = read_options(folder)
    quartet = Quartet(
        G_A=networks.get("G_A"), G_B=networks.get("G_B"), D_A=networks.get("D_A"), D_B=networks.get("D_B"),
        files=dict(located.files), naming=located.naming, notes=tuple(_notes(located, members, options)),
        options=options, looked_for=dict(located.looked_for), source=source, alone=located.alone,
    )  # fmt: skip
    _check_channels(quartet)
    return quartet


def _notes(
    located: Located, members: Mapping[NetName, OpenedNetwork], options: Mapping[str, str]
) -> list[str]:
    def told(names: list[NetName]) -> str:
        files = [located.files[name].name for name in names]
        return ", ".join(names if located.entries else files)

    notes = list(located.notes)
    relics: list[NetName] = [name for name, member in members.items() if member.relics]
    if relics:
        notes.append(f"dropped running statistics that instance norm does not use: {told(relics)}")
    if any(name.endswith(COUNT) for member in members.values() for name in member.relics):
        notes.append(
            "CycleGAN's own code drops them as well; code that builds its instance norm with "
            "track_running_stats=True uses them in eval mode, and such a network is a module of your own: "
            "--generator FILE.py:FACTORY"
        )
    dropouts: list[NetName] = [name for name, member in members.items() if member.dropout]
    if dropouts:
        notes.append(
            f"dropout in the residual blocks of {told(dropouts)} does nothing when pictures are translated; "
            "CycleGAN's own code needs --no_dropout for what ganprune writes"
        )
    for kind in dict.fromkeys(kind for member in members.values() for kind in member.folded):
        normed: list[NetName] = [name for name, member in members.items() if kind in member.folded]
        notes.append(f"{kind} of {told(normed)} is folded into the weights, as eval mode has them")
    open_ones: dict[str, list[NetName]] = {}
    for name, member in members.items():
        for note in getattr(member.network, "notes", ()):
            if note != NORMLESS or options.get("norm") != "none":
                open_ones.setdefault(note, []).append(name)
    notes += [f"{told(names)}: {note}" for note, names in open_ones.items()]
    batch: list[NetName] = [name for name, member in members.items() if "batch" in norm_of(member.network)]
    if batch:
        notes.append(picture_statistics.told([told(batch)]))
    if located.alone:
        entry = f" ({located.entries['G_A']})" if located.entries else ""
        whole = f"{located.files['G_A'].name}{' holds' if entry else ' is'} one generator"
        if "D_A" in members:
            beside = sees_both(members["D_A"].network, members["G_A"].network)
            judges = "judges what it makes" + (" beside its input" if beside else "")
            notes.append(f"{whole}{entry}, taken as G_A; {told(['D_A'])} {judges}")
        else:
            notes.append(f"{whole} alone{entry}, taken as G_A")
    if options.get("direction") == "BtoA" and not located.alone:
        notes.append("trained with direction BtoA: what is called A here was the folder of B pictures")
    return notes


def _check_channels(quartet: Quartet) -> None:
    """Channels of the pictures of A and of B, as every network sees them, must agree."""
    try:
        _ = quartet.channels
    except ValueError as error:
        folder = next(iter(quartet.files.values())).parent
        raise CheckpointError(f"{folder}: {error}; these networks are not of one training") from None
