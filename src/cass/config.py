"""The settings of every command, declared once: names, defaults, bounds, units and help. Layer 0.

The Python functions, the command line options and the YAML files all read these models. They are
frozen and strict; a value that is worked out at run time is written to the run folder, never back
into a configuration.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from cass.errors import ConfigError, did_you_mean
from cass.types import Branches

_DATA = (
    "Images: a folder (any nesting, or one sub-folder a class), a CSV with the columns "
    "image,label[,group][,split], or the word 'generated' for the built-in generated set."
)
_LABELS = (
    "Labels: a CSV with the columns image,label[,group][,split], a folder with one sub-folder a class, "
    "or the word 'generated'."
)
_RESUME = "Continue unfinished work: what a stopped process has finished is kept."


class Settings(BaseModel):
    """What every command's settings share: unknown keys are refused, values cannot change."""

    # Validators are built when first used: help needs none of them.
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, defer_build=True)


class ComputeSettings(Settings):
    """Where and how a command computes."""

    device: Literal["auto", "cpu", "gpu", "mps"] = Field(
        "auto", description="Device to compute on; auto takes a GPU where there is one."
    )
    precision: Literal["auto", "32", "bf16"] = Field(
        "auto",
        description="Arithmetic: auto takes bf16 autocast where the hardware has it (recent GPUs, CPUs with "
        "AVX-512 BF16 or AMX) and 32-bit floats elsewhere.",
    )
    num_workers: int | None = Field(
        None,
        ge=0,
        description="Processes that fetch batches; left out: none on a CPU, 2 beside a GPU.",
    )


class TrainSettings(ComputeSettings):
    """How a command that trains uses the hardware."""

    compile: Literal["auto", "on", "off"] = Field(
        "auto",
        description="torch.compile: auto tries it in runs that are long enough to repay its start-up, and keeps "
        "it where a step is measured to be faster.",
    )
    accumulate: int = Field(
        1, ge=1, description="Parts that a batch passes through the networks in; more parts need less memory."
    )
    gradient_checkpointing: bool = Field(
        False, description="Compute activations twice instead of keeping them: less memory, slower steps."
    )


class CacheSettings(Settings):
    """Where decoded images are kept for later runs; shared by the commands that read a set as a whole."""

    cache: str = Field(
        "auto",
        min_length=1,
        description="Where decoded images are kept, so that later runs start at once: auto (the user's cache, or "
        "CASS_CACHE_DIR), off, or a folder.",
    )


class LabelSettings(Settings):
    """How labels are read."""

    label_columns: tuple[str, ...] = Field(
        (), description="0/1 columns of the CSV, one a class, for multi-label sets; repeat the option."
    )


class GuardSettings(Settings):
    """What a training run does where its data cannot be trusted."""

    allow_leakage: bool = Field(
        False,
        description="Go on where given splits put a group, or copies of one image, into several; every report "
        "then says so.",
    )


class PretrainConfig(LabelSettings, CacheSettings, GuardSettings, TrainSettings):
    """Settings of ``cass pretrain``."""

    data: str = Field(description=_DATA)
    out: Path = Field(description="Run folder to write; must be new or empty.")
    method: str = Field("cass", description="Pretraining method; cass.list_methods() names them.")
    objective: str | None = Field(
        None,
        description="How cass compares its branches: joint (targets that cannot collapse) or cosine (as "
        "published); left out: joint.",
    )
    method_config: dict[str, Any] = Field(
        default_factory=dict, description="Settings of the method itself, as YAML: '{width: 1000}'."
    )
    branch: Branches = Field(
        "both", description="Branch to pretrain; cass itself needs both, other methods train each by itself."
    )
    cnn: str = Field("resnet50", description="CNN branch: any timm convolutional network.")
    transformer: str = Field(
        "vit_base_patch16_224", description="Transformer branch: any timm vision Transformer."
    )
    cnn_weights: str = Field(
        "imagenet",
        description="Start of the CNN: 'imagenet' (timm's weights, downloaded), 'none' (random numbers), or a "
        "safetensors file or a folder that holds one.",
    )
    transformer_weights: str = Field(
        "imagenet", description="Start of the Transformer: 'imagenet', 'none', or a file or folder."
    )
    cnn_args: dict[str, Any] = Field(
        default_factory=dict, description="Further timm arguments of the CNN, as YAML."
    )
    transformer_args: dict[str, Any] = Field(
        default_factory=dict, description="Further timm arguments of the Transformer, as YAML: '{depth: 6}'."
    )
    in_chans: int = Field(3, ge=1, le=64, description="Image channels; grey images are repeated to fill 3.")
    image_size: int = Field(224, ge=16, le=4096, description="Side of the square images, in pixels.")
    normalization: Literal["auto", "backbone", "data"] = Field(
        "auto",
        description="Channel mean and spread: from the pretrained backbone, from the training images, or auto "
        "(the backbone's for 8-bit images and pretrained weights, else the images').",
    )
    views: str | None = Field(
        None, description="Recipe of the augmented views; left out: the method's own ('general' for cass)."
    )
    epochs: int = Field(100, ge=1, description="Passes over the training images.")
    batch_size: Annotated[int, Field(ge=2)] | Literal["auto"] = Field(
        16,
        description="Images a step, over all devices; auto takes the largest power of two that fits into the "
        "GPU's memory, and 16 on a CPU.",
    )
    devices: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        "auto",
        description="Processes on each machine, one a GPU: auto takes all GPUs, or as many as torchrun or SLURM "
        "started; on a CPU one.",
    )
    nodes: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        "auto", description="Machines; auto: as many as torchrun or SLURM started, else one."
    )
    optimizer: Literal["adam", "adamw"] | None = Field(None, description="Optimiser; left out: the method's own.")
    lr: float | None = Field(None, gt=0, le=10, description="Peak learning rate; left out: the method's own.")
    weight_decay: float | None = Field(None, ge=0, le=10, description="Weight decay; left out: the method's own.")
    warmup: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="Share of all steps that the learning rate rises over; left out: the method's own.",
    )
    schedule_steps: int | None = Field(
        None,
        ge=1,
        description="Half period of a cosine schedule without warm-up, in steps, after which the rate rises "
        "again; left out: the rate falls over the whole run.",
    )
    averaging_start: float = Field(
        0.75,
        ge=0,
        le=1,
        description="Share of the run after which the weights at each epoch's end are averaged; the average is "
        "what is saved. 1 saves the last weights instead.",
    )
    watch_images: int = Field(1000, ge=32, description="Most validation images that the collapse watch uses.")
    watch_neighbours: int = Field(20, ge=1, description="Neighbours of the collapse watch's kNN probe.")
    seed: int = Field(0, ge=0, lt=2**31, description="Seed of all randomness.")
    resume: bool = Field(False, description="Continue the run in the output folder from its last epoch.")


class TuneSettings(TrainSettings):
    """How a branch is fine-tuned; shared by ``cass finetune`` and ``cass compare``."""

    branch: Branches = Field("both", description="Branch to fine-tune; both also reports their mean.")
    head: Literal["full", "linear"] = Field(
        "full",
        description="linear: a logistic regression on the frozen backbone's embeddings, in seconds; what steers "
        "training (views, epochs, min-steps, patience, batch-size, lr and the like) then does nothing. full: "
        "that, then training of the whole network from there.",
    )
    loss: Literal["focal", "cross_entropy", "bce"] = Field(
        "focal", description="Loss of training; focal and bce use sigmoids for multi-label sets."
    )
    focal_alpha: float = Field(1.0, gt=0, description="Factor of the focal loss.")
    focal_gamma: float = Field(2.0, ge=0, description="Exponent of the focal loss; 0 is cross-entropy.")
    balance: Literal["weights", "sampling", "none"] = Field(
        "weights",
        description="How rare classes count: weights in the loss by inverse frequency, sampling of every class "
        "equally often (multi-label sets get weights instead), or none.",
    )
    views: str = Field("paper", description="Recipe of the training augmentation.")
    epochs: int = Field(50, ge=1, description="Most epochs; one is a pass over the labelled training images.")
    min_steps: int = Field(
        10,
        ge=1,
        description="Fewest steps of an epoch: with few labels an epoch passes over them repeatedly, so that "
        "patience means the same whatever their number.",
    )
    patience: int = Field(5, ge=1, description="Epochs without a lower validation loss before stopping.")
    batch_size: int = Field(16, ge=2, description="Images a step.")
    lr: float = Field(1e-4, gt=0, le=10, description="Peak learning rate, that of the head.")
    layer_decay: float = Field(
        0.75,
        gt=0,
        le=1,
        description="Factor on the learning rate from each layer to the one before it; 1 is one rate for all.",
    )
    tuned_share: float = Field(
        1.0, gt=0, le=1, description="Share of the layers, from the input on, that is trained beside the head."
    )
    warmup: float = Field(
        0.05, ge=0, lt=1, description="Share of all steps that the learning rate rises over; then it falls."
    )
    weight_decay: float = Field(0.01, ge=0, le=10, description="Weight decay; biases and norms have none.")
    seed: int = Field(0, ge=0, lt=2**31, description="Seed of the labelled subset and of training.")


class FinetuneConfig(LabelSettings, CacheSettings, GuardSettings, TuneSettings):
    """Settings of ``cass finetune``."""

    run: Path = Field(description="Run folder of cass pretrain.")
    labels: str = Field(description=_LABELS)
    out: Path = Field(description="Run folder to write; must be new or empty.")
    label_fraction: float = Field(
        1.0, gt=0, le=1, description="Share of the labelled training images to use, in (0, 1]."
    )
    without_pretraining: bool = Field(
        False,
        description="Start from the weights that the pretraining run itself started from: the comparison that "
        "tells what pretraining gave.",
    )


class EvaluateConfig(LabelSettings, CacheSettings, ComputeSettings):
    """Settings of ``cass evaluate``."""

    run: Path = Field(description="Run folder of cass finetune.")
    labels: str = Field(description=_LABELS)
    split: Literal["train", "val", "test"] = Field("test", description="Split to evaluate on.")
    batch_size: int = Field(64, ge=1, description="Images at a time.")
    resamples: int = Field(1000, ge=100, le=100_000, description="Bootstrap resamples of the intervals.")
    seed: int = Field(0, ge=0, lt=2**31, description="Seed of the bootstrap.")


class EmbedConfig(ComputeSettings):
    """Settings of ``cass embed``."""

    run: Path = Field(description="Run folder of cass pretrain or cass finetune.")
    data: str = Field(description=_DATA)
    out: Path = Field(
        description="What to write: one file where the name ends in .parquet, else a folder of Parquet shards."
    )
    branch: Branches = Field("both", description="Branch whose embeddings are written.")
    batch_size: int = Field(64, ge=1, description="Images at a time.")
    resume: bool = Field(False, description=_RESUME)


class PredictConfig(ComputeSettings):
    """Settings of ``cass predict``."""

    run: Path = Field(description="Run folder of cass finetune.")
    data: str = Field(description=_DATA)
    out: Path = Field(
        description="What to write: one file where the name ends in .csv or .parquet, else a folder of Parquet "
        "shards."
    )
    batch_size: int = Field(64, ge=1, description="Images at a time.")
    resume: bool = Field(False, description=_RESUME)


class CompareConfig(PretrainConfig):
    """Settings of ``cass compare``: those of ``cass pretrain`` and, under ``finetune``, of fine-tuning."""

    label_fractions: tuple[float, ...] = Field(
        (0.01, 0.1, 1.0), min_length=1, description="Shares of the labels to fine-tune on; repeat the option."
    )
    finetune: TuneSettings = Field(
        default_factory=TuneSettings, description="Settings of cass finetune, as YAML: '{epochs: 20}'."
    )


class AuditConfig(LabelSettings, ComputeSettings):
    """Settings of ``cass audit``."""

    data: str = Field(description=_DATA)
    run: Path | None = Field(
        None,
        description="Run folder of cass pretrain or cass finetune, whose networks then look for look-alikes and "
        "for labels that are doubtful.",
    )
    json_file: Path | None = Field(None, description="JSON file to write with all that was found.")
    html: Path | None = Field(None, description="HTML page to write, with small pictures of what was found.")
    seed: int = Field(
        0, ge=0, lt=2**31, description="Seed of cross-validation, and of splits where none are given."
    )


class SplitConfig(LabelSettings):
    """Settings of ``cass split``."""

    data: str = Field(description=_DATA)
    out: Path = Field(description="CSV file to write; must not exist.")
    ratios: tuple[float, float, float] = Field(
        (0.7, 0.1, 0.2), description="Shares of train, val and test; repeat the option."
    )
    seed: int = Field(0, ge=0, lt=2**31, description="Seed; the same seed makes the same splits.")

    @field_validator("ratios")
    @classmethod
    def _shares(cls, value: tuple[float, float, float]) -> tuple[float, float, float]:
        if min(value) <= 0:
            raise ValueError("give three shares above 0, such as 0.7, 0.1 and 0.2")
        return value


class SpeedConfig(ComputeSettings):
    """Settings of ``cass benchmark speed``."""

    data: str = Field("generated", description=_DATA)
    cnn: str = Field("efficientnet_lite0", description="CNN branch: any timm convolutional network.")
    transformer: str = Field(
        "vit_small_patch14_dinov2", description="Transformer branch: any timm vision Transformer."
    )
    cnn_args: dict[str, Any] = Field(default_factory=dict, description="Further timm arguments, as YAML.")
    transformer_args: dict[str, Any] = Field(default_factory=dict, description="Further timm arguments, as YAML.")
    image_size: int = Field(98, ge=16, le=4096, description="Side of the square images, in pixels.")
    batch_size: int = Field(16, ge=2, description="Images a step.")
    compile: Literal["on", "off"] = Field("off", description="torch.compile for cass's own step.")
    steps: int = Field(
        6, ge=1, description="Steps of each contestant in a round; of the slow ones of other methods a third."
    )
    rounds: int = Field(3, ge=1, description="Rounds; contestants take turns, and medians over rounds count.")
    json_file: Path | None = Field(None, description="JSON file to write with all that was measured.")
    seed: int = Field(0, ge=0, lt=2**31, description="Seed of the networks.")


C = TypeVar("C", bound=Settings)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    Args:
        path: The file.

    Returns:
        The mapping; empty for an empty file.

    Raises:
        ConfigError: Where the file is missing, is no YAML, or holds no mapping.
    """
    import yaml

    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"Cannot read the configuration {path}: {error.strerror}", "Check the path.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {error}", "Mend the file.") from None
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise ConfigError(f"{path} holds no 'key: value' lines", "Write one setting a line, such as 'epochs: 10'.")
    return {str(key): value for key, value in loaded.items()}


def build_config(kind: type[C], values: dict[str, Any], *, source: Path | None = None) -> C:
    """Check settings against their declaration.

    Args:
        kind: The configuration model.
        values: Settings by name; those given on the command line or in Python win over ``source``.
        source: A YAML file with further settings.

    Returns:
        The frozen configuration.

    Raises:
        ConfigError: For an unknown key or a value out of bounds, in one line.
    """
    merged = {**(read_yaml(source) if source else {}), **values}
    try:
        return kind.model_validate(merged)
    except ValidationError as error:
        where = f" in {source}" if source else ""
        raise _one_line(error, kind, where) from None


def _one_line(error: ValidationError, kind: type[BaseModel], where: str) -> ConfigError:
    """Turn the first complaint of a validation into one line with its mend."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        owner: type[BaseModel] = kind
        for part in first["loc"][:-1]:
            annotation = owner.model_fields[str(part)].annotation
            owner = annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else owner
        known = list(owner.model_fields)
        return ConfigError(
            f"Unknown key {key!r}{where}",
            did_you_mean(str(first["loc"][-1]), known) or f"Known: {', '.join(known)}.",
        )
    if first["type"] == "missing":
        return ConfigError(f"{key!r} is missing{where}", f"Give {key}.")
    message = first["msg"][:1].lower() + first["msg"][1:]
    return ConfigError(
        f"{key} = {first['input']!r}{where} is not accepted", f"It {message.removeprefix('input ')}."
    )


def to_yaml(config: BaseModel) -> str:
    """Write a configuration as YAML that :func:`build_config` reads back to an equal one.

    Args:
        config: The configuration.

    Returns:
        YAML text, one setting a line, each field in the order of its declaration.
    """
    import yaml

    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
