"""What ``evaluate`` does: two folders, a folder and its labels, or a run."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganprune import metrics
from ganprune.checkpoints import Own, Quartet, load_generator
from ganprune.checkpoints.quartet import weights_hash
from ganprune.errors import InputError, UsageError
from ganprune.images import DataSource, Domain, PictureFolders, Split, load_pictures, open_picture, to_uint8
from ganprune.metrics.extractor import Pictures
from ganprune.onnx_files.cost import read_onnx
from ganprune.reporting import Reporter
from ganprune.runs import Run
from ganprune.settings import CompressSettings
from ganprune.settings.evaluate import EvaluateOptions
from ganprune.settings.words import DOMAINS, OTHER
from ganprune.stages.job import made_by
from ganprune.stages.originals import originals_of
from ganprune.stages.preparing import domains_of
from ganprune.stages.searching import CACHE
from ganprune.system.device import cpu_threads, resolve_device, resolve_threads
from ganprune.system.shell import command_line
from ganprune.translation import OnnxTranslator, Translator
from ganprune_cli.asking import needed_features
from ganprune_exporters.settings import REDUCED

PROTOCOLS = {"fid_test": "against real test pictures", "fid_train_test": "against real train + test pictures"}
"""What each FID is measured against."""


def _scores(wishes: EvaluateOptions) -> metrics.ScoreSettings:
    return metrics.ScoreSettings(fid=wishes.fid, resamples=wishes.bootstrap, seed=wishes.seed)


def _network(wishes: EvaluateOptions) -> metrics.FeatureNetwork:
    return metrics.load_features(needed_features(wishes.features), wishes.device, wishes.threads)


@dataclass(frozen=True, slots=True)
class _Seer:
    """Turns pictures into features, as the options say."""

    network: metrics.FeatureNetwork
    batch: int
    cache: Path | None
    reporter: Reporter

    def __call__(self, pictures: Pictures) -> Tensor:
        return metrics.cached_features(self.network, pictures, self.batch, self.cache, self.reporter)

    def folder(self, folder: Path) -> Tensor:
        """Of all pictures in a folder that can be read."""
        return self(metrics.find_readable(metrics.pictures_in(folder), self.reporter))


def evaluate_folders(fakes: Path, real: Path, wishes: EvaluateOptions, reporter: Reporter) -> dict[str, Any]:
    """Figures of a folder of pictures against one of real pictures; or, with --fcn, of labels."""
    if wishes.fcn is not None:
        return _evaluate_labels(fakes, real, wishes, wishes.fcn, reporter)
    for name, wish in (("--data", wishes.data), ("--set pictures", wishes.pictures)):
        if wish is not None:
            raise UsageError(f"{name} is for a run; with two folders, give the pictures themselves")
    if wishes.train is not None and not wishes.fid:
        raise UsageError("--set train is for FID against train + test; add --fid, or leave it out")
    settings = _scores(wishes)
    found = metrics.pictures_in(fakes)
    groups = [found, *(metrics.pictures_in(folder) for folder in wishes.lost or ())]
    found, *others = metrics.paired(*groups) if wishes.lost else (metrics.find_readable(found, reporter),)
    for folder in (real, *(wishes.probe or ()), *([] if wishes.train is None else [wishes.train])):
        metrics.pictures_in(folder)  # refused before anything is computed
    see = _Seer(_network(wishes), wishes.batch, wishes.cache, reporter)
    a_and_b = None if wishes.probe is None else (see.folder(wishes.probe[0]), see.folder(wishes.probe[1]))
    scores = metrics.score(
        see(found), see.folder(real), settings,
        train=None if wishes.train is None else see.folder(wishes.train),
        domains=a_and_b,
        originals_and_inputs=(see(others[0]), see(others[1])) if others else None,
        errors=_errors_of_files(found, others[0]) if others else None,
        others={"original": see(others[0])} if others else None,
    )  # fmt: skip
    protocol = _protocol(see.network, settings, wishes.train is not None)
    return {"fakes": str(fakes), "real": str(real)} | scores.to_json() | protocol


def _errors_of_files(fakes: Sequence[Path], originals: Sequence[Path]) -> Tensor | None:
    """`squared_errors` of each pair; None where a pair's pictures differ in size."""
    found = list[Tensor]()
    for pair in zip(fakes, originals, strict=True):
        one, other = (to_uint8(open_picture(path, None))[None] for path in pair)
        if one.shape != other.shape:
            return None
        found.append(metrics.squared_errors(one, other))
    return torch.cat(found)


def evaluate_run(run: Run, wishes: EvaluateOptions, reporter: Reporter) -> dict[str, Any]:
    """Figures of a run's slim generators, its originals and the untouched inputs, on test pictures."""
    for name, wish in (
        ("--set train", wishes.train), ("--probe", wishes.probe), ("--lost", wishes.lost),
        ("--fcn", wishes.fcn),
    ):  # fmt: skip
        if wish is not None:
            raise UsageError(f"{name} is for two folders; of a run, test pictures tell")
    settings, made, source = _scores(wishes), made_by(run, wishes.own), wishes.data
    quartet = originals_of(run, made, wishes.own)
    folders = domains_of(
        quartet.options, source or DataSource.of_config(run.config["data"]), ("test",),
        DOMAINS if made.pictures.paired else made.search.sides, "train" if source is None else "test",
        made.pictures.paired, channels=quartet.channels,
    )  # fmt: skip
    see = _Seer(_network(wishes), wishes.batch, wishes.cache or run / CACHE, reporter)
    threads = resolve_threads(wishes.threads)
    measure = _OfRun(run, made, folders, see, settings, resolve_device(wishes.device), threads)
    with cpu_threads(threads):
        contests = _contests(run, made, quartet, wishes.own)
        directions = [
            measure.direction(side, contest, folders.pictures("test", side)[: wishes.pictures])
            for side, contest in contests.items()
        ]
    return {
        "run": str(run.folder), "size": made.pictures.size, "directions": directions,
    } | _protocol(see.network, settings, True)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _OfRun:
    """What the figures of both directions of a run are computed from, and how."""

    run: Run
    made: CompressSettings
    folders: PictureFolders
    see: _Seer
    settings: metrics.ScoreSettings
    device: str
    threads: int

    def direction(
        self, side: Domain, contest: metrics.ComparedNetworks, tested: Sequence[Path]
    ) -> dict[str, Any]:
        """The rows of one direction. tested: the pictures to translate."""
        other = OTHER[side]
        pictures = self._pictures(tested, side)
        contest = replace(contest, others=self._files(side, contest.slim))
        made = metrics.translated(pictures, contest, self.device, self.see.reporter)
        truth = self._truth(other, len(pictures)) if self.made.pictures.paired else None
        target, source = self._real("test", other), self._real("test", side)
        assert source is not None
        if target is None:
            self.see.reporter.info(
                f"no test pictures of {other}, which G_{side} draws: KID, FID and as_b are left out"
            )
        train = self._real("train", other) if self.settings.fid else None
        features = {kind: self.see(part.pictures) for kind, part in made.items()}
        rows, variants = list[dict[str, Any]](), list(made)[list(made).index("slim") + 1 :]
        for kind, part in made.items():
            drawn = part.pictures
            # What the slim generator's files change is seen beside the slim generator itself.
            others = {name: features[name] for name in ("original", *(["slim"] if kind in variants else []))}
            found = metrics.score(
                features[kind], target, self.settings, train=train,
                domains=None if target is None else (source, target),
                originals_and_inputs=(features["original"], features["inputs"]),
                errors=metrics.squared_errors(drawn, made["original"].pictures),
                from_truth=None if truth is None else (
                    metrics.squared_errors(drawn, truth), metrics.absolute_errors(drawn, truth)
                ),
                others=others if kind != "original" else None,
            )  # fmt: skip
            distances = {"L_DisA": part.L_DisA, "L_GenA": part.L_GenA, "L_cyc": part.L_cyc}
            rows.append({"pictures": kind} | found.to_json() | distances)
        return {"network": f"G_{side}", "direction": f"{side}to{other}", "rows": rows}

    def _pictures(self, paths: Sequence[Path], domain: Domain) -> Tensor:
        channels = self.folders.channels[domain]
        return load_pictures(paths, self.made.pictures.size, self.see.reporter, channels)

    def _real(self, split: Split, domain: Domain) -> Tensor | None:
        """Features of real pictures; None where there are none."""
        paths = self.folders.pictures(split, domain)
        return self.see(metrics.find_readable(paths, self.see.reporter)) if paths else None

    def _truth(self, other: Domain, n: int) -> Tensor | None:
        """The pictures that belong to the first n inputs: uint8; None, with a warning, if one is damaged."""
        found = self._pictures(self.folders.pictures("test", other)[:n], other)
        if len(found) == n:
            return to_uint8(found)  # as translations are; files may hold floats
        self.see.reporter.warn(
            f"left out: distances to the pictures of {other}, of which {n - len(found)} cannot be read"
        )
        return None

    def _files(self, side: Domain, slim: nn.Module) -> dict[str, Translator]:
        """The run's files of reduced precision, by the names of their rows, but of other weights."""
        size, warn = self.made.pictures.size, self.see.reporter.warn
        found = dict[str, Translator]()
        for kind in REDUCED:
            path = self.run / f"G_{side}.{kind}.onnx"
            if not path.is_file():
                continue
            try:
                translator = OnnxTranslator(path, self.threads)
            except InputError as error:
                warn(f"left out: {error}")
                continue
            props = {entry.key: entry.value for entry in read_onnx(path).metadata_props}
            if props.get("ganprune.weights_sha256") != weights_hash(slim):
                again = command_line("export", "--onnx", f"--{kind}", self.run.folder)
                warn(f"left out: {path} was made of other weights; make it anew: {again}")
            elif any(dim not in (size, None) for dim in translator.takes.dims[2:]):
                warn(f"left out: {path} takes pictures of another size than the run's {size}×{size}")
            else:
                found[f"slim, {kind}"] = translator
        return found


def _contests(
    run: Run, settings: CompressSettings, quartet: Quartet, own: Own
) -> dict[Domain, metrics.ComparedNetworks]:
    """The networks of each direction that a run made slim. quartet: its originals."""
    sides = settings.search.sides
    slim = {side: load_generator(run / f"G_{side}.safetensors", own) for side in sides}
    whole = {"A": quartet.G_A, "B": quartet.G_B}
    judges = {"A": quartet.D_A, "B": quartet.D_B}
    found = dict[Domain, metrics.ComparedNetworks]()
    for side in sides:
        original, other = whole[side], OTHER[side]
        assert original is not None
        back = slim.get(other, whole[other])
        found[side] = metrics.ComparedNetworks(original, slim[side], whole[other], back, judges[side])
    return found


def _evaluate_labels(
    fakes: Path, labels: Path, wishes: EvaluateOptions, network: Path, reporter: Reporter
) -> dict[str, Any]:
    for name, wish in (
        ("--fid", wishes.fid), ("--probe", wishes.probe), ("--lost", wishes.lost), ("--data", wishes.data),
        ("--set train", wishes.train), ("--set pictures", wishes.pictures), ("--set cache", wishes.cache),
    ):  # fmt: skip
        if wish:
            raise UsageError(f"{name} and --fcn contradict each other; evaluate twice, or leave one out")
    settings = _scores(wishes)
    pictures, truths = metrics.paired(metrics.pictures_in(fakes, 1), metrics.pictures_in(labels, 1))
    segment = metrics.Segmenter(network, wishes.fcn_input, resolve_threads(wishes.threads))
    found = metrics.fcn_score(pictures, truths, segment, settings.resamples, settings.seed, reporter)
    return {
        "fakes": str(fakes), "labels": str(labels), **found.to_json(), "fcn": str(network),
        "fcn_input": wishes.fcn_input, "resamples": settings.resamples, "seed": settings.seed,
    }  # fmt: skip


def _protocol(
    network: metrics.FeatureNetwork, settings: metrics.ScoreSettings, train: bool
) -> dict[str, Any]:
    """What figures mean. train: FID has training pictures for its second protocol."""
    facts = {"features": network.name, "resamples": settings.resamples, "seed": settings.seed}
    protocols = {name: told for name, told in PROTOCOLS.items() if train or name != "fid_train_test"}
    return facts | ({"fid_protocols": protocols} if settings.fid else {})
