from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cass.config.shared import ComputeSettings
from cass.errors import OutputError
from cass.models.backbones import Branch
from cass.runs.inference import infer, load_branches, spans_of
from tiny_runs import write_images, write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("run") / "a")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("images"), count=9)


def passed(images: Path, branches: dict[str, Branch], *, size: int) -> dict[str, np.ndarray]:
    names = sorted(str(path.relative_to(images)) for path in images.rglob("*.png"))
    chunks = list(
        infer(
            images,
            names,
            branches,
            settings=ComputeSettings(device="cpu"),
            batch_size=4,
            output=lambda branch, shown: branch.embed(shown),
            spans=spans_of(len(names), size=size),
        )
    )
    assert [name for chunk in chunks for name in chunk.names] == names
    return {name: np.concatenate([chunk.outputs[name] for chunk in chunks]) for name in branches}


def test_spans_cover_every_row_once() -> None:
    assert spans_of(7, size=3) == [range(3), range(3, 6), range(6, 7)]
    assert spans_of(0) == []


def test_a_branch_that_the_run_lacks_is_named(run: Path, tmp_path: Path) -> None:
    assert list(load_branches(run, "both")) == ["cnn", "transformer"]
    assert list(load_branches(run, "cnn")) == ["cnn"]
    alone = tmp_path / "checkpoints"
    alone.mkdir()
    (alone / "cnn.safetensors").write_bytes((run / "checkpoints" / "cnn.safetensors").read_bytes())
    with pytest.raises(OutputError, match="holds no transformer branch"):
        load_branches(tmp_path, "transformer")


def test_outputs_are_the_networks_own_and_their_modes_are_restored(run: Path, images: Path) -> None:
    branches = load_branches(run, "both")
    branches["cnn"].train()
    branches["transformer"].eval()
    outputs = passed(images, branches, size=4)
    assert branches["cnn"].training
    assert all(part.training for part in branches["cnn"].modules())
    assert not branches["transformer"].training
    with Image.open(images / "0" / "002.png") as image:
        pixels = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None].float() / 255
    for name, branch in branches.items():
        expected = branch.eval().embed(pixels).detach().numpy()[0]
        np.testing.assert_allclose(outputs[name][2], expected, rtol=1e-3, atol=1e-4)


def test_outputs_do_not_depend_on_how_the_list_is_cut(run: Path, images: Path) -> None:
    whole, cut = (passed(images, load_branches(run, "both"), size=size) for size in (9, 4))
    for name, expected in whole.items():
        np.testing.assert_allclose(cut[name], expected, rtol=1e-4, atol=1e-5)
