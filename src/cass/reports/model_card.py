"""The model card of an exported network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cass.evaluation.bootstrap import Interval
from cass.models.backbones import Branch
from cass.reports.tables import METRIC_NAMES, Cells, percent
from cass.types import BranchName

LIMITS = (
    "This network is research software. It is not a medical device, and no output of it is a diagnosis. Its "
    "figures hold for images like those it was evaluated on. Other scanners, hospitals, stains or patients need "
    "an evaluation of their own (`cass evaluate --labels theirs.csv`). It answers for every image, also for one "
    "that shows something else entirely."
)
USE = {
    "timm": """```python
import timm, torch
from preprocess import read_image  # beside this file

model = timm.create_model("local-dir:.", pretrained=True).eval()
mean, std = (torch.tensor(model.pretrained_cfg[key]).view(1, -1, 1, 1) for key in ("mean", "std"))
images = torch.from_numpy(read_image("scan.png"))[None]
with torch.no_grad():
    output = model((images - mean) / std)
```""",
    "onnx": """```python
import onnxruntime
from preprocess import read_image  # beside this file

session = onnxruntime.InferenceSession("model.onnx")
outputs = session.run(None, {"images": read_image("scan.png")[None]})
```""",
    "torchscript": """```python
import torch
from preprocess import read_image  # beside this file

model = torch.jit.load("model.pt")
outputs = model(torch.from_numpy(read_image("scan.png"))[None])
```""",
}
USE["huggingface"] = USE["timm"]


@dataclass(frozen=True)
class CardSource:
    """What a card is written from.

    Attributes:
        summary: Summary of the run.
        pretraining: Summary of the pretraining run, or None where that is not there any more.
        report: Results on the test images by branch, or None where the run was not evaluated.
    """

    summary: dict[str, Any]
    pretraining: dict[str, Any] | None
    report: dict[str, Any] | None


def model_card(source: CardSource, branch: Branch, name: BranchName, *, kind: str) -> str:
    """Write the card of one branch.

    Args:
        source: What is known of the run.
        branch: The branch.
        name: Its name.
        kind: Format of the export.

    Returns:
        Markdown; for Hugging Face with the header of its Hub.
    """
    spec, summary = branch.spec, source.summary
    classes = list(summary.get("classes", ()))
    parts = [f"# {spec.name}, the {'CNN' if name == 'cnn' else 'Transformer'} branch of a cass run"]
    parts.append(_purpose(branch, classes, task=summary.get("task")))
    parts += ["## Use", USE[kind], _meaning(summary, kind)]
    if classes:
        parts += ["## Data and labels", *_data(summary)]
        parts += ["## Results on the test images", *_results(source.report, name)]
    parts += ["## Training", *_training(source, name), "## Limits of use", LIMITS]
    head = ""
    if kind == "huggingface":
        tags = "".join(f"- {tag}\n" for tag in ("image-classification", "timm", "medical", "cass"))
        head = f"---\ntags:\n{tags}library_name: timm\nlicense: other\n---\n\n"
    return head + "\n\n".join(parts) + "\n"


def _purpose(branch: Branch, classes: Sequence[str], *, task: str | None) -> str:
    spec = branch.spec
    size = f"{spec.image_size} × {spec.image_size} pixels, {spec.in_chans} channels"
    if not classes:
        return f"It turns images of {size} into embeddings of {branch.num_features} numbers."
    kind = "any number of" if task == "multilabel" else "exactly one of"
    return f"It gives an image of {size} probabilities of {kind} the classes {', '.join(classes)}."


def _meaning(summary: dict[str, Any], kind: str) -> str:
    """Say what comes in and out."""
    if "classes" not in summary:
        return "Images are in [0, 1]; the output is the embedding."
    link = "sigmoid" if summary["task"] == "multilabel" else "softmax"
    out = f"The output is logits, in the order of `label_names`; their {link} gives calibrated probabilities."
    if kind in ("onnx", "torchscript"):
        out = "The outputs are logits and calibrated probabilities, in the order of the classes above."
    return f"Images are in [0, 1]. {out} The mean of both branches' probabilities is what `cass predict` writes."


def _data(summary: dict[str, Any]) -> list[str]:
    """Say what it was fine-tuned on, and what an audit would warn of."""
    counts = summary["labels_per_class"]
    rows = [[name, str(count)] for name, count in counts.items()]
    splits = "; ".join(f"{name}: {part['images']} images" for name, part in summary["splits"].items())
    parts = [
        f"Label budget: {summary['n_labels']} labelled training images and "
        f"{summary.get('n_validation_labels', 'unknown')} labelled validation images. Splits ({splits}) were "
        f"{'given' if summary['splits_source'] == 'given' else 'made by cass'}.",
        Cells("", ["class", "labelled training images"], rows).markdown(),
    ]
    parts += [f"**Warning: leakage was allowed.** {leak}" for leak in summary.get("leakage", [])]
    if summary.get("generated_data"):
        parts.append("**The images were drawn by cass. They are not of patients.**")
    if summary.get("teaching", {}).get("reason"):
        parts.append(summary["teaching"]["reason"])
    return parts


def _results(reports: dict[str, Any] | None, name: BranchName) -> list[str]:
    """Lay out the metrics of ``cass evaluate``."""
    if reports is None:
        return ["Not evaluated. Run `cass evaluate` before you rely on this network."]
    report = reports[name]
    unit = f"{report['n_groups']} groups" if report.get("n_groups") else f"{report['n_images']} images"
    rows = [
        [METRIC_NAMES.get(metric, metric), percent(read_interval(entry))]
        for metric, entry in report["metrics"].items()
    ]
    return [
        f"{report['n_images']} images; 95% intervals from resamples of {unit}.",
        Cells("", ["metric", "% [95% interval]"], rows).markdown(),
    ]


def read_interval(entry: dict[str, float | None]) -> Interval:
    """Read an interval of report.json, where null stands for what is undefined."""
    ends = [entry["value"], entry["low"], entry["high"]]
    return Interval(*(float("nan") if end is None else end for end in ends))


def _training(source: CardSource, name: BranchName) -> list[str]:
    """Say how it was pretrained and whether that collapsed."""
    summary, parts = source.summary, []
    started = summary.get("pretraining", summary)
    if summary.get("start") == "no pretraining":
        return ["Fine-tuned from its initial weights, without pretraining by cass."]
    method, epochs = started.get("method", "cass"), started.get("epochs", "?")
    parts.append(f"Pretrained without labels by the method {method}, {epochs} epochs.")
    watched = (source.pretraining or summary).get("branches", {}).get(name, {})
    if "reason" in watched:
        state = watched.get("verdict") or ("collapsed" if watched.get("collapsed") else "no collapse")
        parts.append(f"Collapse watch: {state} ({watched['reason']}).")
    return parts
