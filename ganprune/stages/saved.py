"""Where a search stands, on the disk: state.safetensors and search.jsonl, written after every generation.

Both are read as data that may be damaged, or come from a stranger: a state is taken up only where its tensors
are of the kinds and shapes that a search of these settings has.
"""

import json
from collections.abc import Mapping
from dataclasses import fields

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from ganprune.errors import RunError
from ganprune.pruning.genome import Layout
from ganprune.runs import Run
from ganprune.search import SEARCHERS
from ganprune.search.coevolution import Generation, Population, State
from ganprune.settings.search import SearchSettings
from ganprune.settings.words import Domain
from ganprune.storage.files import write_atomically
from ganprune.storage.locking import gone
from ganprune.storage.plain import parse_json, read_text, shaped, sound

STATE = "state.safetensors"
HISTORY = "search.jsonl"
MOST_STATE = 1 << 28  # bytes of the longest state that is read

Spec = tuple[torch.dtype, tuple[int, ...]]  # kind of numbers and shape of a tensor


def save(run: Run, state: State, lines: list[Generation], fingerprint: str) -> None:
    """First the history, then the state: after a kill in between, the line is written again.

    fingerprint: of the pictures that were scored on, 64 hexadecimal digits.
    """
    if state.generation and not (run / HISTORY).exists():
        raise gone(run.folder)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    write_atomically(run / HISTORY, text.encode(), over="own")
    tensors = state.to_tensors() | {"pictures_sha256": torch.tensor(list(bytes.fromhex(fingerprint)))}
    write_atomically(run / STATE, save_tensors(tensors), over="own")


def saved(
    run: Run, layouts: Mapping[Domain, Layout], settings: SearchSettings, fingerprint: str
) -> tuple[State | None, list[Generation]]:
    """The state that an earlier call left, with the lines of search.jsonl up to it; None: there is none.

    Raises `RunError` for damaged files, and for a search on other pictures.
    """
    path = run / STATE
    if not path.exists():
        return None, []
    try:
        if not path.is_file() or path.stat().st_size > MOST_STATE:
            raise ValueError("no file that a search has written")
        tensors = load_tensors(path.read_bytes())
        state = State.from_tensors(tensors)
        pictures = bytes(tensors["pictures_sha256"].tolist()).hex()
        _check(state, layouts, settings)
    except (SafetensorError, KeyError, ValueError, RuntimeError, TypeError, IndexError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise RunError(
            f"{path} is damaged ({reason}); delete it to search again, or use `-o` another folder"
        ) from None
    if pictures != fingerprint:
        raise RunError(
            f"the search in {run.folder} was made with other pictures than are in the data folder now; "
            "put them back, or use `-o` another folder"
        )
    return state, _history(run, state.generation)


def _history(run: Run, last: int) -> list[Generation]:
    """The lines of search.jsonl up to a generation; none where the file is missing."""
    path = run / HISTORY
    if not path.exists():
        return []
    with sound(path, "delete it to go on without the figures of past generations"):
        lines = [parse_json(line) for line in read_text(path).splitlines()]
        return shaped([line for line in lines if line["generation"] <= last], list[Generation])


def _check(state: State, layouts: Mapping[Domain, Layout], settings: SearchSettings) -> None:
    """Raises `ValueError` for a state that a search of these settings does not come to."""
    K, unfinished = settings.population, state.generation < settings.generations
    if not 0 <= state.generation <= settings.generations:
        raise ValueError(f"generation {state.generation} of {settings.generations}")
    if set(state.populations) != set(settings.sides):
        raise ValueError(f"populations of {', '.join(sorted(state.populations)) or 'no side'}")
    for side, population in state.populations.items():
        L = layouts[side].length
        _compare(f"{side}.genomes", population.genomes, (torch.bool, (K, L)))
        for item in fields(Population):
            if item.name != "genomes":
                _compare(f"{side}.{item.name}", getattr(population, item.name), (torch.float64, (K,)))
        layout, may_go = layouts[side], layouts[side].blocks if settings.remove_blocks else ()
        fewest = zip(layout.genes, layout.gene_counts(population.genomes).amin(0).tolist(), strict=True)
        empty = any(count == 0 and gene not in may_go for gene, count in fewest)
        if empty or not bool(population.fitness.isfinite().all()) or bool((population.fitness < 0).any()):
            raise ValueError(f"{side} holds individuals that no search has")
        kept = SEARCHERS[settings.searcher].memory_of(K, L)
        for name, spec in kept.items() if unfinished else ():
            _compare(f"memory.{side}.{name}", state.memory[f"{side}.{name}"], spec)
        chains = state.memory.get(f"{side}.chains")
        if unfinished and chains is not None and not bool(((chains >= 0) & (chains < K)).all()):
            raise ValueError(f"memory.{side}.chains leads out of the population")


def _compare(name: str, tensor: Tensor, spec: Spec) -> None:
    found: Spec = (tensor.dtype, tuple(tensor.shape))
    if found != spec:
        raise ValueError(f"{name} is {found[0]} {found[1]}, needed {spec[0]} {spec[1]}")
