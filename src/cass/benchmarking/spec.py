"""What ``cass benchmark`` compares, as written in its YAML file. Above the settings, below all else.

An entry (a data set, a network, a method) holds a few keys of its own and any setting of
``cass pretrain``; where several entries give the same setting, the later of ``pretraining``, network,
data and method wins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from cass.config.base import Settings, checked, read_yaml
from cass.config.finetune import TuneSettings
from cass.config.pretrain import PretrainConfig
from cass.errors import ConfigError, did_you_mean

ResultBranch = Literal["cnn", "transformer", "mean"]

# What the benchmark itself gives every run.
GIVEN = {"data", "out", "resume", "seed", "batch_size", "epochs", "devices", "nodes"}
PRETRAINING = [name for name in PretrainConfig.model_fields if name not in GIVEN]
TUNING = [name for name in TuneSettings.model_fields if name not in ("branch", "seed")]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Entry(BaseModel):
    """A named entry: keys of its own, and any setting of ``cass pretrain`` but those of every run."""

    model_config = ConfigDict(frozen=True, extra="allow", validate_default=True)

    def settings(self) -> dict[str, Any]:
        """Return the settings of ``cass pretrain`` that the entry gives."""
        return dict(self.model_extra or {})


class DataEntry(Entry):
    """A data set."""

    source: str = Field(
        description="A folder, a CSV, or the word 'generated'; relative to the file of the benchmark."
    )
    classes: tuple[str, ...] = Field((), description="Classes to use; default: all.")
    train_share: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Share of the training images to use, stratified by class; groups stay whole.",
    )
    redraw_splits: bool = Field(
        False,
        description="Ignore the given splits and draw new ones for each seed, so that intervals over seeds "
        "include the sampling of test images; for sets with few test images.",
    )
    epochs_scale: float = Field(
        1.0, gt=0, description="Factor on the epochs, so that sets of different sizes get about as many steps."
    )
    finetune: dict[str, Any] = Field(
        default_factory=dict, description="Fine-tuning settings for this set, such as {views: microscopy}."
    )


class NetworkEntry(Entry):
    """A pair of networks."""


class MethodEntry(Entry):
    """A way to start fine-tuning from."""

    method: str | None = Field(None, description="Name of the method; default: the name of this entry.")
    pretraining: bool = Field(True, description="False: fine-tune from the initial weights, without pretraining.")
    epochs: int | None = Field(None, ge=1, description="Epochs of this method; overrides the common setting.")
    epochs_scale: float = Field(
        1.0, gt=0, description="Factor on the epochs, for example to give a slower method equal time."
    )


class Grid(Settings):
    """A part of the benchmark: every combination of these; what is not given is as at the top level."""

    data: tuple[str, ...] | None = Field(None, min_length=1, description="Names of data sets.")
    networks: tuple[str, ...] | None = Field(None, min_length=1, description="Names of networks.")
    methods: tuple[str, ...] | None = Field(None, min_length=1, description="Names of methods.")
    tuning: tuple[str, ...] | None = Field(None, min_length=1, description="Names of fine-tunings.")
    branches: tuple[ResultBranch, ...] | None = Field(None, min_length=1, description="Branches.")
    label_fractions: tuple[float, ...] | None = Field(None, min_length=1, description="Shares of labels.")
    seeds: tuple[int, ...] | None = Field(None, min_length=1, description="Seeds.")
    batch_sizes: tuple[int, ...] | None = Field(None, min_length=1, description="Batch sizes.")
    epochs: tuple[int, ...] | None = Field(None, min_length=1, description="Epochs.")


class BenchmarkSpec(Settings):
    """What is compared with what, on what, how often."""

    name: str = Field(description="Name of the benchmark.")
    claim: str = Field(description="Method whose difference from each other method is tested.")
    data: dict[str, DataEntry] = Field(min_length=1, description="Data sets by name.")
    networks: dict[str, NetworkEntry] = Field(min_length=1, description="Pairs of networks by name.")
    methods: dict[str, MethodEntry] = Field(min_length=1, description="Methods by name.")
    pretraining: dict[str, Any] = Field(
        default_factory=dict, description="Settings of cass pretrain that all methods share."
    )
    tuning: dict[str, dict[str, Any]] = Field(
        {"full": {}},
        min_length=1,
        description="Fine-tunings by name, with their settings.",
    )
    branches: tuple[ResultBranch, ...] = Field(
        ("cnn", "transformer", "mean"),
        min_length=1,
        description="Results; mean: both branches' mean probabilities.",
    )
    label_fractions: tuple[float, ...] = Field((0.01, 0.1, 1.0), min_length=1, description="Shares of labels.")
    seeds: tuple[int, ...] = Field((0, 1, 2, 3, 4), min_length=1, description="Seeds; all methods share them.")
    batch_sizes: tuple[int, ...] = Field(
        (16,), min_length=1, description="Images per pretraining step; the first is the main one."
    )
    epochs: tuple[int, ...] = Field(
        (100,), min_length=1, description="Epochs of pretraining; the first is the main one."
    )
    grids: dict[str, Grid] = Field(
        default_factory=lambda: {"main": Grid()},
        min_length=1,
        description="Parts of the benchmark by name; default: one part with everything.",
    )
    confirmation: tuple[str, ...] = Field(
        (),
        description="Data sets on which nothing was chosen; differences on them are also reported by themselves.",
    )
    split: Literal["val", "test"] = Field(
        "test", description="Images to evaluate on: test, or val while you still choose between methods."
    )
    keep_weights: bool = Field(False, description="Also keep the weights of every fine-tuned branch.")


def read_spec(path: Path) -> BenchmarkSpec:
    """Read and check the file of a benchmark.

    Args:
        path: YAML file.

    Returns:
        The benchmark.

    Raises:
        ConfigError: For an unknown key or name or a value out of bounds, in one line with the nearest known word.
    """
    raw = read_yaml(path)
    _check_keys(raw, list(BenchmarkSpec.model_fields), path, "")
    kinds: dict[str, type[Entry]] = {"data": DataEntry, "networks": NetworkEntry, "methods": MethodEntry}
    for section, kind in kinds.items():
        entries = _mapping(raw, section, path)
        for name, entry in entries.items():
            _check_keys(entry, [*kind.model_fields, *PRETRAINING], path, f"{section}.{name}")
            if section == "data":
                _check_keys(_mapping(entry, "finetune", path), TUNING, path, f"{section}.{name}.finetune")
    _check_keys(_mapping(raw, "pretraining", path), PRETRAINING, path, "pretraining")
    for name, entry in _mapping(raw, "tuning", path).items():
        _check_keys(entry, TUNING, path, f"tuning.{name}")
    for name, entry in _mapping(raw, "grids", path).items():
        _check_keys(entry, list(Grid.model_fields), path, f"grids.{name}")
    spec = checked(BenchmarkSpec, raw, source=path)
    _check_names(spec, path)
    return spec


def _mapping(owner: dict[str, Any], key: str, path: Path) -> dict[str, Any]:
    """Return a mapping of mappings or settings; an entry without content is an empty one."""
    value = owner.get(key)
    if key not in owner:
        return {}
    if not isinstance(value, dict):
        raise ConfigError(f"{key!r} in {path} holds no 'name: ...' lines", "Write one entry a line.")
    owner[key] = {str(name): value[name] for name in value}
    if key in ("data", "networks", "methods", "tuning", "grids"):
        owner[key] = {name: {} if entry is None else entry for name, entry in owner[key].items()}
    mapping: dict[str, Any] = owner[key]
    return mapping


def _check_keys(entry: Any, known: list[str], path: Path, where: str) -> None:
    if not isinstance(entry, dict):
        raise ConfigError(f"{where} = {entry!r} in {path} is no mapping", "Write it as {key: value}.")
    for key in entry:
        if key in known:
            continue
        inside = f" in {where}" if where else ""
        hint = did_you_mean(str(key), known) or f"Known: {', '.join(known)}."
        if key in GIVEN and key not in known:
            hint = "The benchmark gives it to every run itself: see seeds, batch_sizes and epochs."
        raise ConfigError(f"Unknown key {key!r}{inside} of {path}", hint)


def _check_names(spec: BenchmarkSpec, path: Path) -> None:
    """Make sure that every name can be a file name, and that what is referred to exists."""
    sections: dict[str, Iterable[str]] = {
        "data": spec.data,
        "networks": spec.networks,
        "methods": spec.methods,
        "tuning": spec.tuning,
    }
    for section, names in sections.items():
        for name in names:
            if not _NAME.fullmatch(name):
                raise ConfigError(
                    f"The name {name!r} under {section} in {path} cannot name a folder",
                    "Use letters, digits, '.', '_' and '-'.",
                )
    _known(spec.claim, spec.methods, f"claim in {path}")
    for name in spec.confirmation:
        _known(name, spec.data, f"confirmation in {path}")
    for grid_name, grid in spec.grids.items():
        for section, names in sections.items():
            for name in getattr(grid, section) or ():
                _known(name, names, f"{section} of the grid {grid_name!r} in {path}")
    for fraction in (*spec.label_fractions, *(f for g in spec.grids.values() for f in g.label_fractions or ())):
        if not 0 < fraction <= 1:
            raise ConfigError(f"label_fractions: {fraction:g} in {path} is no share", "Give numbers in (0, 1].")


def _known(name: str, names: Iterable[str], where: str) -> None:
    if name not in names:
        hint = did_you_mean(name, names) or f"There are: {', '.join(names)}."
        raise ConfigError(f"Unknown name {name!r} under {where}", hint)
