"""From the file of a benchmark to its cells: each pretraining, its fine-tunings, and what each is called."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from cass.benchmarking.sets import DIGITS, DataSet, find_weights, read_set
from cass.benchmarking.spec import BenchmarkSpec, Grid, MethodEntry, ResultBranch
from cass.config.base import build_config
from cass.config.finetune import FinetuneConfig
from cass.config.pretrain import PretrainConfig
from cass.config.shared import CacheSettings, GuardSettings, LabelSettings, TrainSettings, job_settings
from cass.errors import CassError, ConfigError, did_you_mean
from cass.methods import METHODS
from cass.models.backbones import BackboneSpec, check_network
from cass.resolve.finetune import resolve_tuning
from cass.resolve.pretrain import ResolvedMethod, resolve_method
from cass.transforms.recipes import tuning_views

FindWeights = Callable[[str], tuple[dict[str, Any], dict[str, str]]]
CheckNetworks = Callable[[list[BackboneSpec]], None]

PRETRAIN = "pretrain"
REVISION = 3  # raised when the same settings give other results; cells of an earlier one are kept, not reported
# Where and with how many helpers a cell is computed is no part of what it is; neither are the places of files,
# whose contents count instead, nor what is permitted.
_COLUMN_NAMES = {"image_column", "label_column", "group_column"}  # what they hold is part of the data set's digest
_PLACES = {"data", "out", "resume", "devices", "nodes", "num_workers", "cache", "run", "labels", "allow_leakage"}
_START = {
    *("cnn", "transformer", "cnn_weights", "transformer_weights", "cnn_args", "transformer_args"),
    *("in_chans", "image_size", "normalization"),
    *(name for kind in (LabelSettings, CacheSettings, GuardSettings, TrainSettings) for name in kind.model_fields),
}


@dataclass(frozen=True)
class Tuning:
    """A fine-tuning and its evaluation.

    Attributes:
        name: Name of its folder within the cell's.
        protocol: Name of its settings in the benchmark.
        fraction: Share of the labels, in (0, 1].
        settings: Fields of :class:`cass.config.finetune.FinetuneConfig` by name, but for ``run``, ``out`` and
            ``branch``.
        alone: The one branch that is wanted, or None where both are.
        split: Images that are reported.
    """

    name: str
    protocol: str
    fraction: float
    settings: dict[str, Any]
    alone: ResultBranch | None
    split: Literal["val", "test"]


@dataclass
class Cell:
    """A pretraining, or a start without one, and the fine-tunings that build on it.

    Attributes:
        name: Name of its folder.
        config: Settings of pretraining; ``out`` is the folder of the run.
        pretraining: False where the networks are fine-tuned as they start.
        data: The data set.
        method: Name of the method in the benchmark.
        tunings: The fine-tunings by name.
        keep_weights: Whether fine-tuned weights stay.
    """

    name: str
    config: PretrainConfig
    pretraining: bool
    data: DataSet
    method: str
    tunings: dict[str, Tuning] = field(default_factory=dict)
    keep_weights: bool = False

    @property
    def folder(self) -> Path:
        """Where everything of the cell lies."""
        return self.config.out.parent


class Place(NamedTuple):
    """A place in a grid: what tells its result from the others."""

    data: str
    network: str
    method: str
    batch_size: int
    epochs: int
    seed: int
    protocol: str
    label_fraction: float


@dataclass(frozen=True)
class Point:
    """Where the result of a place is found. Several places may share a cell.

    Attributes:
        place: The place.
        branches: The branches that are reported.
        cell: Name of the cell.
        tuning: Name of the fine-tuning in it.
    """

    place: Place
    branches: tuple[ResultBranch, ...]
    cell: str
    tuning: str


@dataclass(frozen=True)
class Benchmark:
    """All there is to do.

    Attributes:
        spec: What the file says.
        out: Folder of the results.
        sets: Data sets by name.
        cells: Cells by name, in the order of the work.
        points: Every place of every grid, once.
    """

    spec: BenchmarkSpec
    out: Path
    sets: dict[str, DataSet]
    cells: dict[str, Cell]
    points: list[Point]


def expand(spec: BenchmarkSpec, *, folder: Path, out: Path) -> Benchmark:
    """Work out every cell of a benchmark; every setting is checked before anything is computed.

    Args:
        spec: What the file says.
        folder: Folder of that file, which paths are relative to.
        out: Folder of the results.

    Returns:
        The cells and the places of the grids.

    Raises:
        CassError: For anything in it that cannot be used, in one line.
    """
    # Thousands of cells share a few weight files, which take a while to read.
    weights_of: FindWeights = cache(lambda text: find_weights(json.loads(text), folder))
    checked: list[BackboneSpec] = []

    def check_networks(specs: list[BackboneSpec]) -> None:
        for network in specs:
            if network not in checked:
                check_network(network)
                checked.append(network)

    settle = cache(partial(_settle, spec, weights_of=weights_of, check_networks=check_networks))
    for grid in spec.grids.values():  # a wrong word is found before a data set is read
        for place in _places(spec, grid):
            _check_tuning(spec, place, settle(*_start_of(place)).config)
    used = {name for grid in spec.grids.values() for name in grid.data or tuple(spec.data)}
    sets = {
        name: read_set(name, entry, folder=folder, out=out) for name, entry in spec.data.items() if name in used
    }
    cells: dict[str, Cell] = {}
    places: dict[Place, str] = {}
    wanted: dict[Place, set[ResultBranch]] = defaultdict(set)
    needed: dict[tuple[str, str, float], set[ResultBranch]] = defaultdict(set)
    for grid in spec.grids.values():
        for place in _places(spec, grid):
            made = _cell(spec, sets[place.data], place, settle(*_start_of(place)), out=out)
            places[place] = cells.setdefault(made.name, made).name
            wanted[place] |= set(grid.branches or spec.branches)
            needed[(made.name, place.protocol, place.label_fraction)] |= wanted[place]
    tunings = {}
    for (cell, protocol, fraction), branches in needed.items():
        tuning = _tuning(spec, cells[cell], protocol=protocol, fraction=fraction, branches=branches)
        tunings[(cell, protocol, fraction)] = tuning.name
        cells[cell].tunings[tuning.name] = tuning
    points = [
        Point(place, _in_order(wanted[place]), cell, tunings[(cell, place.protocol, place.label_fraction)])
        for place, cell in places.items()
    ]
    return Benchmark(spec, out, sets, cells, points)


def _places(spec: BenchmarkSpec, grid: Grid) -> Iterator[Place]:
    """Yield every place of a grid; seeds come first, so that a benchmark stopped early has some of everything."""
    axes = itertools.product(
        grid.seeds or spec.seeds,
        grid.data or tuple(spec.data),
        grid.networks or tuple(spec.networks),
        grid.methods or tuple(spec.methods),
        grid.batch_sizes or spec.batch_sizes,
        grid.epochs or spec.epochs,
        grid.tuning or tuple(spec.tuning),
        grid.label_fractions or spec.label_fractions,
    )
    for seed, data, network, method, batch_size, epochs, protocol, fraction in axes:
        yield Place(data, network, method, batch_size, epochs, seed, protocol, float(fraction))


def _in_order(branches: set[ResultBranch]) -> tuple[ResultBranch, ...]:
    return tuple(name for name in get_args(ResultBranch) if name in branches)


@dataclass(frozen=True)
class Settled:
    """The settings of a cell, before its data set is known.

    Attributes:
        config: Settings of pretraining.
        content: What identifies the cell besides its data set.
    """

    config: PretrainConfig
    content: dict[str, Any]


def _start_of(place: Place) -> tuple[str, str, str, int, int, int]:
    """Return what of a place decides on its pretraining."""
    return place.data, place.network, place.method, place.batch_size, place.epochs, place.seed


def _settle(
    spec: BenchmarkSpec,
    data: str,
    network: str,
    method: str,
    batch_size: int,
    epochs: int,
    seed: int,
    *,
    weights_of: FindWeights,
    check_networks: CheckNetworks,
) -> Settled:
    """Put the settings of a pretraining together, the more particular winning, and check them."""
    entry = spec.methods[method]
    given = dict(spec.pretraining)
    for part in (spec.networks[network], spec.data[data], entry):
        given |= part.settings()
    own: dict[str, Any] = {}
    if entry.pretraining:
        scaled = max(1, round(entry.epochs_scale * spec.data[data].epochs_scale * epochs))
        own = {"batch_size": batch_size, "epochs": entry.epochs or scaled}
        given["method"] = _method(method, entry)
    else:
        given = {key: value for key, value in given.items() if key in _START}
    settled, weights = weights_of(json.dumps(given, sort_keys=True, default=list))
    values = settled | own | {"seed": seed, "data": "unnamed", "devices": 1, "nodes": 1}
    try:
        config = build_config(PretrainConfig, {**values, "out": Path("unnamed")})
        resolved = resolve_method(config)
        check_networks(resolved.networks(config))
    except CassError as error:
        where = f"The method {method!r} on {data!r} with the networks {network!r}"
        raise ConfigError(f"{where}: {error.what}", error.fix) from None
    ignored = set() if entry.pretraining else set(PretrainConfig.model_fields) - _START - {"seed"}
    content = _content(config, without=ignored) | weights | (_defaults(resolved) if entry.pretraining else {})
    return Settled(config, content | {"pretraining": entry.pretraining})


def _cell(spec: BenchmarkSpec, data: DataSet, place: Place, settled: Settled, *, out: Path) -> Cell:
    """Make the cell of a place, and name it after its settings."""
    entry = spec.methods[place.method]
    config = settled.config
    trained = f"-b{config.batch_size}-e{config.epochs}" if entry.pretraining else ""
    digits = _hash(settled.content | {"data": data.digest, "revision": REVISION})
    name = f"{place.data}-{place.network}-{place.method}{trained}-s{place.seed}-{digits}"
    config = config.model_copy(update={"data": data.source, "out": out.resolve() / "cells" / name / PRETRAIN})
    return Cell(name, config, entry.pretraining, data, place.method, keep_weights=spec.keep_weights)


def _method(name: str, entry: MethodEntry) -> str:
    """Return the registered method of an entry: what it names, else the one of its own name."""
    chosen = entry.method or name
    if chosen in METHODS:
        return chosen
    hint = did_you_mean(chosen, METHODS) or f"There are: {', '.join(sorted(METHODS))}."
    if entry.method is None:
        hint += f" An entry of another name says which it is: {name}: {{method: cass, ...}}."
    raise ConfigError(f"methods.{name}: unknown method {chosen!r}", hint)


def _defaults(resolved: ResolvedMethod) -> dict[str, Any]:
    """Return what the settings leave to the method."""
    return {
        "method_config": resolved.settings.model_dump(mode="json"),
        "views": resolved.recipe.name,
        "optimization": asdict(resolved.kind.optimization),  # what the settings leave open
    }


def _tuning(
    spec: BenchmarkSpec, cell: Cell, *, protocol: str, fraction: float, branches: set[ResultBranch]
) -> Tuning:
    """Put the settings of a fine-tuning together and name it after them."""
    settings = _tuning_settings(spec, cell.config, protocol=protocol, data=cell.data.name)
    settings |= {"labels": cell.data.source, "label_fraction": fraction}
    settings |= {"without_pretraining": not cell.pretraining}
    config = build_config(FinetuneConfig, {**settings, "run": Path("unnamed"), "out": Path("unnamed")})
    alone = next(iter(branches)) if len(branches) == 1 and "mean" not in branches else None
    suffix = f"-{alone}" if alone else ""
    name = f"{protocol}-{fraction:g}{suffix}-{_hash(_content(config, without={'branch'}))}"
    return Tuning(name, protocol, fraction, settings, alone, spec.split)


def _tuning_settings(spec: BenchmarkSpec, config: PretrainConfig, *, protocol: str, data: str) -> dict[str, Any]:
    """Put the settings of a fine-tuning together, the more particular winning."""
    shared = job_settings(config, FinetuneConfig)
    given = spec.tuning[protocol] | spec.data[data].finetune
    return shared | {"views": tuning_views(config.views)} | given | {"seed": config.seed}


def _check_tuning(spec: BenchmarkSpec, place: Place, config: PretrainConfig) -> None:
    settings = _tuning_settings(spec, config, protocol=place.protocol, data=place.data)
    unnamed = {"labels": "unnamed", "run": Path("unnamed"), "out": Path("unnamed")}
    try:
        resolve_tuning(build_config(FinetuneConfig, settings | unnamed))
    except CassError as error:
        raise ConfigError(f"tuning.{place.protocol}: {error.what}", error.fix) from None


def _content(config: PretrainConfig | FinetuneConfig, *, without: set[str]) -> dict[str, Any]:
    content = {
        key: value
        for key, value in config.model_dump(mode="json").items()
        if key not in _PLACES | _COLUMN_NAMES | without
    }
    for key in ("cnn_weights", "transformer_weights"):  # a file is known by its content
        if content.get(key) not in (None, "imagenet", "none"):
            content[key] = "file"
    return content


def _hash(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:DIGITS]
