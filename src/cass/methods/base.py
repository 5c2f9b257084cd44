"""The contract of a method: a plain module that maps views to a loss.

A method knows nothing of Lightning, optimisers, disks or logging; the engine calls it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from cass.config.base import Settings, build_config
from cass.errors import ConfigError
from cass.models.backbones import Branch
from cass.models.modes import freeze_batch_norms
from cass.registry import Registry
from cass.types import BRANCHES, Branches, BranchName, StepOutput, Views


class MethodConfig(Settings):
    """What the settings of every method share: frozen and strict."""


@dataclass(frozen=True)
class Optimization:
    """A method's defaults of optimiser and rates.

    Attributes:
        optimizer: Optimiser.
        lr: Peak learning rate.
        weight_decay: Weight decay.
        warmup: Share of the steps over which the learning rate rises, in [0, 1).
    """

    optimizer: Literal["adam", "adamw"]
    lr: float
    weight_decay: float = 0.0
    warmup: float = 0.0


class Method(nn.Module, ABC):
    """A pretraining method.

    Args:
        config: Settings of the method.
        branches: The networks it trains, by name.

    Attributes:
        default_views: View recipe where the user names none.
        optimization: Optimiser and rates where the user leaves them open.
        uses_start: Whether :meth:`begin` is to be called before the first step.
        decays_heads: Whether weight decay applies to the weights of the heads.
        keeps_statistics: Whether the batch norms of pretrained branches keep their running statistics; the engine
            sets it, alike for all methods.
        takes: The values of ``--branch`` that it can train.
        num_views: Full-size views per image.
        takes_small: Whether it also takes smaller views.
    """

    Config: ClassVar[type[MethodConfig]] = MethodConfig
    default_views: ClassVar[str] = "paper"
    optimization: ClassVar[Optimization] = Optimization("adam", lr=1e-3)
    uses_start: ClassVar[bool] = False
    decays_heads: ClassVar[bool] = True
    keeps_statistics: bool = False
    takes: ClassVar[tuple[Branches, ...]] = ("both",)
    num_views: ClassVar[int] = 1
    takes_small: ClassVar[bool] = False

    def __init__(self, config: Any, branches: dict[str, Branch]) -> None:
        super().__init__()
        self.config = config

    def start_note(self) -> str:
        """Return what the user should know about the networks that training starts from, or nothing."""
        return ""

    def begin(self, embeddings: Mapping[str, Tensor], describe: Callable[[], Tensor]) -> None:
        """Take the branches' embeddings before the first step.

        Args:
            embeddings: By branch name, (N, D) of all N training images, not augmented.
            describe: Returns descriptors (N, H) of the same images that need no network; see
                :func:`cass.transforms.descriptors.gradient_histograms`.
        """

    def start_state(self) -> dict[str, Tensor]:
        """Return what :meth:`begin` computed and training does not change; a resumed run continues with it."""
        return {}

    def load_start_state(self, state: Mapping[str, Tensor]) -> None:
        """Take what :meth:`start_state` returned, in a resumed run or in another process of the same run."""

    @abstractmethod
    def forward(self, views: Views, positions: Tensor) -> StepOutput:
        """Compute the loss of one batch.

        Args:
            views: One float tensor (B, C, V, V) in [0, 1] for each view of the same B images, those of full
                size first.
            positions: Positions (B,) of the images among the N training images, in [0, N), in the order of
                :meth:`begin`.

        Returns:
            The scalar loss and what else is worth logging.
        """

    @abstractmethod
    def branches(self) -> dict[str, Branch]:
        """Return what is fine-tuned and exported, by branch name."""

    def after_step(self, progress: float) -> None:
        """Do what follows an optimiser step, such as a moving average.

        Args:
            progress: Share of the run that is done, in [0, 1].
        """

    @abstractmethod
    def trained(self) -> dict[str, tuple[Branch, nn.Module]]:
        """Return, by name, each branch that is trained, and the module that holds its heads."""

    def train(self, mode: bool = True) -> Method:
        """Set the mode. Batch norms of pretrained branches, also of teachers, may keep their statistics."""
        super().train(mode)
        if self.keeps_statistics:
            for part in self.modules():
                if isinstance(part, Branch) and part.spec.weights != "none":
                    freeze_batch_norms(part)
        return self


class MethodRegistry(Registry[type[Method]]):
    """The methods by name. A method that comes with several objectives has one class for each.

    The file of a method is imported when the method is looked up, so that one method does not wait for the
    libraries of another.
    """

    def __init__(self) -> None:
        super().__init__("method")
        self._objectives: dict[str, dict[str, type[Method]]] = {}
        self._files: list[str] | None = None

    def register(
        self, name: str, *, objective: str | None = None, default: bool = True
    ) -> Callable[[type[Method]], type[Method]]:
        """Enter the decorated class.

        Args:
            name: Name of the method.
            objective: Name of the objective, for a method that comes with several.
            default: Whether this class is what the name alone means; exactly one class of a name is.

        Returns:
            A decorator that hands the class back unchanged.

        Raises:
            ValueError: Where the name or the objective is taken, which is a mistake in the code.
        """

        def enter(kind: type[Method]) -> type[Method]:
            if objective is not None:
                taken = self._objectives.setdefault(name, {})
                if objective in taken:
                    raise ValueError(f"objective {objective!r} of method {name!r} is registered twice")
                taken[objective] = kind
            return add(kind) if default else kind

        add = super().register(name)
        return enter

    def _import(self, prefix: str = "") -> None:
        """Import the files of this folder whose name begins with ``prefix``."""
        if self._files is None:
            self._files = [module.name for module in iter_modules(import_module(__package__).__path__)]
        for file in [file for file in self._files if file.startswith(prefix)]:
            self._files.remove(file)
            import_module(f"{__package__}.{file}")

    def __getitem__(self, name: str) -> type[Method]:
        """Look a name up.

        Raises:
            ConfigError: Where there is no such name; the message lists what there is.
        """
        self._import(name)
        if not super().__contains__(name):
            self._import()
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self._import(str(name))
        if not super().__contains__(name):
            self._import()
        return super().__contains__(name)

    def __iter__(self) -> Iterator[str]:
        self._import()
        return super().__iter__()

    def __len__(self) -> int:
        self._import()
        return super().__len__()

    def find(self, name: str, objective: str | None = None) -> type[Method]:
        """Look up a method.

        Args:
            name: Name of the method.
            objective: Name of the objective; None is the method's default.

        Raises:
            ConfigError: For an unknown name, or an objective that the method does not have.
        """
        kind = self[name]
        if objective is None:
            return kind
        if objective not in self._objectives.get(name, {}):
            self._import()
        there = self._objectives.get(name, {})
        if objective not in there:
            fix = f"Use --objective {' or '.join(sorted(there))}." if there else "Drop --objective."
            raise ConfigError(f"--method {name} has no --objective {objective!r}", fix)
        return there[objective]

    def objective(self, name: str) -> str | None:
        """Return the name of a method's default objective; None for a method with only one.

        Raises:
            ConfigError: For an unknown name.
        """
        kind = self[name]
        return next((key for key, variant in self._objectives.get(name, {}).items() if variant is kind), None)

    def variants(self) -> dict[tuple[str, str | None], type[Method]]:
        """Return every class by its name and objective; the objective of a method with only one is None."""
        found: dict[tuple[str, str | None], type[Method]] = {}
        for name, kind in self.items():
            for objective, variant in self._objectives.get(name, {}).items():
                found[name, objective] = variant
            if name not in self._objectives:
                found[name, None] = kind
        return found


METHODS = MethodRegistry()


def branch_names(kind: type[Method], name: str, branch: Branches) -> tuple[BranchName, ...]:
    """Return the branches to train.

    Args:
        kind: The method.
        name: Its name.
        branch: What the user chose.

    Raises:
        ConfigError: For branches that the method cannot train.
    """
    if branch not in kind.takes:
        raise ConfigError(
            f"--method {name} cannot train --branch {branch}", f"Use --branch {' or '.join(kind.takes)}."
        )
    return BRANCHES if branch == "both" else (branch,)


def build_method(kind: type[Method], settings: dict[str, Any], branches: dict[str, Branch]) -> Method:
    """Build a method.

    Args:
        kind: The method, of :meth:`MethodRegistry.find`.
        settings: Settings of the method by name.
        branches: The networks it trains, by name.

    Returns:
        The method.

    Raises:
        ConfigError: For an unknown setting.
    """
    return kind(build_config(kind.Config, settings), branches)
