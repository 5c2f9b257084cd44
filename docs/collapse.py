"""Draw how the published loss collapses and joint targets do not, into docs/images/collapse.png.

Two pairs of small networks with the same random weights are trained on generated images with the same views,
learning rate and batches, one with each objective. What is drawn are the L2-normalised embeddings of 300 images:
their difference from the mean embedding, on the two axes along which they differ most at that step.
Usage: python docs/collapse.py     (a minute on two cores)
"""

from __future__ import annotations

import csv
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from cass.data.sources.generated import generated_dataset
from cass.data.store.stream import fitted_image
from cass.evaluation.collapse import spread
from cass.methods.base import Method
from cass.methods.cass import CASS
from cass.methods.cass_neighbours import CASSNeighbours
from cass.methods.cass_published import CASSPublished
from cass.models.backbones import BackboneSpec, Branch, build_branch
from cass.transforms.descriptors import gradient_histograms
from cass.transforms.recipes import RECIPES
from cass.transforms.views import build_views

IMAGES = Path(__file__).parent / "images"
SIDE, BATCH, RATE, SHOWN = 32, 16, 1e-3, 300
STEPS = (0, 10, 20, 40, 80, 160, 320)
OBJECTIVES = {"Published loss": CASSPublished, "Joint neighbours": CASSNeighbours}


def load(folder: Path) -> tuple[Tensor, NDArray[np.int64]]:
    """Draw generated images: (N, 3, S, S) in [0, 1], and the number of each one's class."""
    table = generated_dataset(folder, count=600, image_size=SIDE) / "labels.csv"
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    pixels = np.stack(
        [np.asarray(fitted_image(table.parent / row["image"], image_size=SIDE, in_chans=3)) for row in rows]
    )
    classes = sorted({row["label"] for row in rows})
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255, np.array(
        [classes.index(row["label"]) for row in rows]
    )


def snapshots(kind: type[Any], images: Tensor) -> list[dict[str, Tensor]]:
    """Train a pair of networks, and embed the first images by both at each step of STEPS."""
    torch.manual_seed(0)
    nets = {"cnn": "test_resnet", "transformer": "test_vit"}
    branches = {name: build_branch(BackboneSpec(net, image_size=SIDE), seed=0) for name, net in nets.items()}
    method: Method = kind(kind.Config(), branches)
    if isinstance(method, CASS):
        method.begin(
            {name: embed(branch, images) for name, branch in branches.items()}, lambda: gradient_histograms(images)
        )
    views = build_views(RECIPES.get("general"))
    optimizer = torch.optim.Adam(method.parameters(), lr=RATE)
    order = np.random.default_rng(0)
    found = [{name: embed(branch, images[:SHOWN]) for name, branch in branches.items()}]
    for step in range(1, STEPS[-1] + 1):
        rows = order.choice(len(images), BATCH, replace=False)
        method.train()
        loss = method(views(images[rows], step, rows), torch.from_numpy(rows)).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step in STEPS:
            found.append({name: embed(branch, images[:SHOWN]) for name, branch in branches.items()})
    return found


@torch.no_grad()
def embed(branch: Branch, images: Tensor) -> Tensor:
    """Embed images in evaluation mode: (N, D)."""
    branch.eval()
    return branch.embed(images).float()


def plane(embeddings: Tensor) -> NDArray[np.float64]:
    """Return the two coordinates (N, 2) in which L2-normalised embeddings differ most."""
    unit = F.normalize(embeddings.double(), dim=1)
    centred = unit - unit.mean(dim=0)
    _, _, axes = torch.linalg.svd(centred, full_matrices=False)
    flat: NDArray[np.float64] = (centred @ axes[:2].T).numpy()
    return flat


def draw(axis: Any, embeddings: Tensor, classes: NDArray[np.int64]) -> None:
    """Draw one snapshot; the frame is the same for all."""
    from matplotlib.patches import Circle

    places = plane(embeddings)
    axis.add_patch(Circle((0, 0), 1, fill=False, color="#999999", linewidth=0.7))
    axis.scatter(places[:, 0], places[:, 1], c=classes[: len(places)], cmap="viridis", s=5, linewidths=0)
    axis.set(xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), xticks=[], yticks=[], aspect="equal")
    axis.set_frame_on(False)
    axis.set_xlabel(f"spread {spread(embeddings):.2f}", fontsize=9)


def main() -> None:
    """Train both pairs, and draw the figure."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    with TemporaryDirectory() as folder:
        images, classes = load(Path(folder))
    runs = {name: snapshots(kind, images) for name, kind in OBJECTIVES.items()}
    rows = [(objective, branch) for objective in OBJECTIVES for branch in ("cnn", "transformer")]
    figure, axes = plt.subplots(len(rows), len(STEPS), figsize=(1.5 * len(STEPS), 1.65 * len(rows)))
    for line, (objective, branch) in zip(axes, rows, strict=True):
        for axis, step, found in zip(line, STEPS, runs[objective], strict=True):
            draw(axis, found[branch], classes)
            if objective == rows[0][0] and branch == "cnn":
                axis.set_title(f"step {step}", fontsize=9)
        line[0].set_ylabel(f"{objective}\n{'CNN' if branch == 'cnn' else 'Transformer'}", fontsize=9)
    figure.tight_layout()
    figure.savefig(IMAGES / "collapse.png", dpi=110)
    for objective, branch in rows:
        print(
            f"{objective}, {branch}: spread " + " ".join(f"{spread(each[branch]):.2f}" for each in runs[objective])
        )


if __name__ == "__main__":
    main()
