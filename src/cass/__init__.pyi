"""cass: see __init__.py. Written by `make reference`; do not edit."""

from pathlib import Path
from typing import Any, Literal, overload

from cass.api import list_methods as list_methods
from cass.api import load as load
from cass.benchmarking.run import BenchmarkResult
from cass.benchmarking.speed.run import SpeedResult
from cass.data.prepare.cutting import PreparedPictures
from cass.errors import CassError as CassError
from cass.version import __version__ as __version__
from cass.workflows.audit import AuditResult
from cass.workflows.compare import CompareResult
from cass.workflows.embed import EmbedResult
from cass.workflows.evaluate import EvaluateResult
from cass.workflows.explain import ExplainResult
from cass.workflows.export import ExportResult
from cass.workflows.finetune import FinetuneResult
from cass.workflows.predict import PredictResult
from cass.workflows.prepare import PreparedSet
from cass.workflows.pretrain import PretrainResult
from cass.workflows.report import ReportResult
from cass.workflows.select import SelectResult
from cass.workflows.split import SplitResult
from cass.workflows.weights import WeightsResult

__all__ = [
    "CassError",
    "__version__",
    "audit",
    "benchmark",
    "benchmark_speed",
    "compare",
    "embed",
    "evaluate",
    "explain",
    "export",
    "finetune",
    "list_methods",
    "load",
    "predict",
    "prepare",
    "pretrain",
    "report",
    "select",
    "split",
    "weights",
]

@overload
def prepare(
    kind: Literal["isic2019", "dermofit", "brain-tumor-mri"],
    /,
    folder: str | Path,
    *,
    out: str | Path | None = None,
    config: str | Path | None = None,
) -> PreparedSet:
    """Write a manifest of a public data set, or convert DICOM series, NIfTI volumes or whole slides to images."""

@overload
def prepare(
    kind: Literal["multilabel"],
    /,
    folder: str | Path,
    labels_file: str | Path,
    *,
    image_column: str | None = None,
    group_column: str | None = None,
    findings: tuple[str, ...] | list[str] = (),
    out: str | Path | None = None,
    config: str | Path | None = None,
) -> PreparedSet:
    """Write a manifest of images with several findings each, listed in a CSV file."""

@overload
def prepare(
    kind: Literal["dicom"],
    /,
    data: str | Path,
    out: str | Path,
    *,
    window: str = "file",
    frames: str = "all",
    image_column: str | None = None,
    label_column: str | None = None,
    label_columns: tuple[str, ...] | list[str] = (),
    group_column: str | None = None,
    config: str | Path | None = None,
) -> PreparedPictures:
    """Write DICOM frames as PNG images, with a window of your choice; cass also reads DICOM directly."""

@overload
def prepare(
    kind: Literal["nifti"],
    /,
    data: str | Path,
    out: str | Path,
    *,
    axis: Literal["axial", "coronal", "sagittal"] = "axial",
    every: int = 1,
    window: str = "percentile",
    image_column: str | None = None,
    label_column: str | None = None,
    label_columns: tuple[str, ...] | list[str] = (),
    group_column: str | None = None,
    config: str | Path | None = None,
) -> PreparedPictures:
    """Cut NIfTI volumes into slices; each volume is a group."""

@overload
def prepare(
    kind: Literal["slides"],
    /,
    data: str | Path,
    out: str | Path,
    *,
    tile_size: int = 256,
    level: int = 0,
    tissue: float = 0.5,
    image_column: str | None = None,
    label_column: str | None = None,
    label_columns: tuple[str, ...] | list[str] = (),
    group_column: str | None = None,
    config: str | Path | None = None,
) -> PreparedPictures:
    """Cut whole slides into tiles of tissue; each slide is a group."""

def audit(
    data: str | Path,
    *,
    run: str | Path | None = None,
    json_file: str | Path | None = None,
    html: str | Path | None = None,
    overwrite: bool = False,
    seed: int = 0,
    device: Literal["auto", "cpu", "gpu", "mps"] = "auto",
    precision: Literal["auto", "32", "bf16"] = "auto",
    num_workers: int | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    label_columns: tuple[str, ...] | list[str] = (),
    group_column: str | None = None,
    config: str | Path | None = None,
) -> AuditResult:
    """Check a set of images before training: files, copies, leakage, shortcuts and labels."""

def split(
    data: str | Path,
    out: str | Path,
    *,
    ratios: tuple[float, float, float] | list[float] = (0.7, 0.1, 0.2),
    seed: int = 0,
    image_column: str | None = None,
    label_column: str | None = None,
    label_columns: tuple[str, ...] | list[str] = (),
    group_column: str | None = None,
    config: str | Path | None = None,
) -> SplitResult:
    """Write splits that keep patients, copies and near-duplicates together."""

def weights(
    networks: tuple[str, ...] | list[str], out: str | Path, *, config: str | Path | None = None
) -> WeightsResult:
    """Download pretrained weights, to carry to a machine without internet."""

def pretrain(
    data: str | Path,
    out: str | Path,
    *,
    method: str = "cass",
    objective: str | None = None,
    method_config: dict[str, Any] = ...,
    branch: Literal["cnn", "transformer", "both"] = "both",
    cnn: str = "resnet50",
    transformer: str = "vit_base_patch16_224",
    cnn_weights: str | Path = "imagenet",
    transformer_weights: str | Path = "imagenet",
    cnn_args: dict[str, Any] = ...,
    transformer_args: dict[str, Any] = ...,
    in_chans: int = 3,
    image_size: int = 224,
    normalization: Literal["auto", "backbone", "data"] = "auto",
    views: str | None = None,
    epochs: int = 100,
    batch_size: int | Literal["auto"] = 16,
    devices: int | Literal["auto"] = "auto",
    nodes: int | Literal["auto"] = "auto",
    optimizer: Literal["adam", "adamw"] | None = None,
    lr: float | None = None,
    weight_decay: float | None = None,
    warmup: float | None = None,
    batch_norm: Literal["frozen", "adapted", "live"] = "frozen",
    layer_decay: float = 0.75,
    cnn_rate: float = 5.0,
    schedule_steps: int | None = None,
    averaging_start: float = 0.75,
    watch_images: int = 1000,
    watch_neighbours: int = 20,
    seed: int = 0,
    resume: bool = False,
    device: Literal["auto", "cpu", "gpu", "mps"] = "auto",
    precision: Literal["auto", "32", "bf16"] = "auto",
    num_workers: int | None = None,
    compile: Literal["auto", "on", "off"] = "auto",
    accumulate: int = 1,
    gradient_checkpointing: bool = False,
    allow_leakage: bool = False,
    cache: str | Path = "auto",
    image_column: str | None = None,
    label_column: str | None = None,
    label_columns: tuple[str, ...] | list[str] = (),
    group_column: str | None = None,
    config: str | Path | None = None,
) -> PretrainResult:
    """Train a CNN and a Transformer together, without labels, on all training images."""

def finetune(
    run: str | Path,
    labels: str | Path,
    *,
    out: str | Path,
    label_fraction: float = 1.0,
    without_pretraining: bool = False,
    resume: bool = False,
    device: Literal["auto", "cpu", "gpu", "mps"] = "auto",
    precision: Literal["auto", "32", "bf16"] = "auto",
    num_workers: int | None = None,
    compile: Literal["auto", "on", "off"] = "auto",
    accumulate: int = 1,
    gradient_checkpointing: bool = False,
    branch: Literal["cnn", "transformer", "both"] = "both",
    head: Literal["full", "linear"] = "full",
    unlabelled: Literal["auto", "on", "off"] = "off",
    loss: Literal["focal", "cross_entropy", "bce"] = "focal",
    focal_alpha: float = 1.0,
    focal_gamma: float = 2.0,
    balance: Literal["weights", "sampling", "none"] = "weights",
    views: str | None = None,
    epochs: int = 50,
    min_steps: int = 10,
    patience: int = 5,
    batch_size: int = 16,
    lr: float = 0.0001,
    layer_decay: float = 0.75,
    tuned_share: float = 1.0,
    warmup: float = 0.05,
    weight_decay: float = 0.01,
    seed: int = 0,
    allow_leakage: bool = False,
    cache: str | Path = "auto",
    image_column: str | None = None,
    label_column: str | None = None,
    label_columns: tuple[str, ...] | list[str] = (),
    group_column: str | None = None,
    config: str | Path | None = None,
) -> FinetuneResult:
    """Train pretrained branches on a fraction of the labels."""

def evaluate(
    run: str | Path,
    labels: str | Path,
    *,
    split: Literal["train", "val", "test"] = "test",
    out: str | Path | None = None,
    batch_size: int = 64,
    resamples: int = 1000,
    seed: int = 0,
    device: Literal["auto", "cpu", "gpu", "mps"] = "auto",
    precision: Literal["auto", "32", "bf16"] = "auto",
    num_workers: int | None = None,
    cache: str | Path = "auto",
    image_column: str | None = None,
    label_column: str | None = None,
    label_columns: tuple[str, ...] | list[str] = (),
    group_column: str | None = None,
    config: str | Path | None = None,
) -> EvaluateResult:
    """Evaluate fine-tuned branches on held-out images, with 95% confidence intervals."""

def embed(
    run: str | Path,
    data: str | Path,
    *,
    out: str | Path,
    branch: Literal["cnn", "transformer", "both"] = "both",
    batch_size: int = 64,
    resume: bool = False,
    device: Literal["auto", "cpu", "gpu", "mps"] = "auto",
    precision: Literal["auto", "32", "bf16"] = "auto",
    num_workers: int | None = None,
    image_column: str | None = None,
    config: str | Path | None = None,
) -> EmbedResult:
    """Write the embeddings of images to a Parquet file or a folder of Parquet shards."""

def select(
    run: str | Path,
    data: str | Path,
    *,
    out: str | Path,
    budget: int = 50,
    batch_size: int = 64,
    seed: int = 0,
    device: Literal["auto", "cpu", "gpu", "mps"] = "auto",
    precision: Literal["auto", "32", "bf16"] = "auto",
    num_workers: int | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    label_columns: tuple[str, ...] | list[str] = (),
    group_column: str | None = None,
    config: str | Path | None = None,
) -> SelectResult:
    """Choose which images to label next: typical ones, different from each other, and disputed ones."""

def report(
    runs: tuple[Path, ...] | list[Path],
    out: str | Path,
    *,
    audit: str | Path | None = None,
    images: bool = True,
    overwrite: bool = False,
    config: str | Path | None = None,
) -> ReportResult:
    """Write what a fine-tuned run can and cannot do as one HTML page; several runs are compared."""

def predict(
    run: str | Path,
    data: str | Path,
    *,
    out: str | Path,
    sensitivity: float | None = None,
    batch_size: int = 64,
    resume: bool = False,
    device: Literal["auto", "cpu", "gpu", "mps"] = "auto",
    precision: Literal["auto", "32", "bf16"] = "auto",
    num_workers: int | None = None,
    image_column: str | None = None,
    config: str | Path | None = None,
) -> PredictResult:
    """Write the predictions of fine-tuned branches to a CSV file, a Parquet file or a folder of shards."""

def explain(
    run: str | Path,
    data: str | Path,
    *,
    out: str | Path,
    label: str | None = None,
    limit: int = 50,
    batch_size: int = 16,
    device: Literal["auto", "cpu", "gpu", "mps"] = "auto",
    precision: Literal["auto", "32", "bf16"] = "auto",
    num_workers: int | None = None,
    image_column: str | None = None,
    config: str | Path | None = None,
) -> ExplainResult:
    """Show where both networks find the evidence for their prediction, as heat maps."""

def export(
    run: str | Path,
    out: str | Path,
    *,
    format: Literal["timm", "onnx", "torchscript", "huggingface"] = "timm",
    branch: Literal["cnn", "transformer", "both"] = "both",
    config: str | Path | None = None,
) -> ExportResult:
    """Write the networks of a run for use without cass: timm, ONNX, TorchScript or Hugging Face."""

def compare(
    data: str | Path,
    out: str | Path,
    *,
    label_fractions: tuple[float, ...] | list[float] = (0.01, 0.1, 1.0),
    finetune: dict[str, Any] = ...,
    device: Literal["auto", "cpu", "gpu", "mps"] = "auto",
    precision: Literal["auto", "32", "bf16"] = "auto",
    num_workers: int | None = None,
    compile: Literal["auto", "on", "off"] = "auto",
    accumulate: int = 1,
    gradient_checkpointing: bool = False,
    allow_leakage: bool = False,
    cache: str | Path = "auto",
    image_column: str | None = None,
    label_column: str | None = None,
    label_columns: tuple[str, ...] | list[str] = (),
    group_column: str | None = None,
    method: str = "cass",
    objective: str | None = None,
    method_config: dict[str, Any] = ...,
    branch: Literal["cnn", "transformer", "both"] = "both",
    cnn: str = "resnet50",
    transformer: str = "vit_base_patch16_224",
    cnn_weights: str | Path = "imagenet",
    transformer_weights: str | Path = "imagenet",
    cnn_args: dict[str, Any] = ...,
    transformer_args: dict[str, Any] = ...,
    in_chans: int = 3,
    image_size: int = 224,
    normalization: Literal["auto", "backbone", "data"] = "auto",
    views: str | None = None,
    epochs: int = 100,
    batch_size: int | Literal["auto"] = 16,
    devices: int | Literal["auto"] = "auto",
    nodes: int | Literal["auto"] = "auto",
    optimizer: Literal["adam", "adamw"] | None = None,
    lr: float | None = None,
    weight_decay: float | None = None,
    warmup: float | None = None,
    batch_norm: Literal["frozen", "adapted", "live"] = "frozen",
    layer_decay: float = 0.75,
    cnn_rate: float = 5.0,
    schedule_steps: int | None = None,
    averaging_start: float = 0.75,
    watch_images: int = 1000,
    watch_neighbours: int = 20,
    seed: int = 0,
    resume: bool = False,
    config: str | Path | None = None,
) -> CompareResult:
    """Pretrain, fine-tune at several label fractions, and compare with no pretraining."""

def benchmark(
    spec: str | Path,
    *,
    out: str | Path | None = None,
    plan: bool = False,
    jobs: int | None = None,
    slurm: bool = False,
    slurm_args: dict[str, Any] = ...,
    config: str | Path | None = None,
) -> BenchmarkResult:
    """Compare methods over data sets, label fractions and seeds; finished parts are kept."""

def benchmark_speed(
    *,
    data: str | Path = "generated",
    cnn: str = "efficientnet_lite0",
    transformer: str = "vit_small_patch14_dinov2",
    cnn_args: dict[str, Any] = ...,
    transformer_args: dict[str, Any] = ...,
    image_size: int = 98,
    batch_size: int = 16,
    compile: Literal["on", "off"] = "off",
    steps: int = 6,
    rounds: int = 3,
    json_file: str | Path | None = None,
    seed: int = 0,
    device: Literal["auto", "cpu", "gpu", "mps"] = "auto",
    precision: Literal["auto", "32", "bf16"] = "auto",
    num_workers: int | None = None,
    config: str | Path | None = None,
) -> SpeedResult:
    """Time pretraining against the networks alone, the published loop and other methods."""
