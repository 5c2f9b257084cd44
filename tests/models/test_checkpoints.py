from __future__ import annotations

import json
from pathlib import Path

import pytest
import timm
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from cass.errors import ModelError
from cass.models.backbones import BackboneSpec, build_branch
from cass.models.checkpoints import load_branch, save_branch


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "test_convnext"])
@pytest.mark.parametrize("classes", [0, 4])
def test_a_saved_branch_comes_back(tmp_path: Path, name: str, classes: int) -> None:
    branch = build_branch(BackboneSpec(name=name, image_size=32, in_chans=2), seed=3)
    branch.set_normalization([0.1, 0.2], [0.3, 0.4])
    if classes:
        branch.head = torch.nn.Linear(branch.num_features, classes)
    save_branch(branch, tmp_path / "branch.safetensors")
    again = load_branch(tmp_path / "branch.safetensors")
    images = torch.rand(2, 2, 32, 32)
    torch.testing.assert_close(again.eval()(images), branch.eval()(images))
    assert [path.name for path in tmp_path.iterdir()] == ["branch.safetensors"]


@pytest.mark.parametrize(("name", "extra"), [("test_resnet", {}), ("test_vit", {"img_size": 32})])
def test_a_classifier_loads_into_bare_timm(tmp_path: Path, name: str, extra: dict[str, int]) -> None:
    branch = build_branch(BackboneSpec(name=name, image_size=32), seed=3)
    branch.head = torch.nn.Linear(branch.num_features, 4)
    branch.set_normalization([0.0] * 3, [1.0] * 3)
    save_branch(branch, tmp_path / "branch.safetensors")
    network = timm.create_model(name, num_classes=4, **extra)
    network.load_state_dict(load_file(tmp_path / "branch.safetensors"))
    images = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(network.eval()(images), branch.eval()(images))


def test_foreign_and_damaged_files_are_refused(tmp_path: Path) -> None:
    foreign, damaged = tmp_path / "foreign.safetensors", tmp_path / "damaged.safetensors"
    save_file({"weight": torch.zeros(1)}, foreign)
    damaged.write_bytes(b"not a tensor")
    for path in (foreign, damaged, tmp_path / "missing.safetensors"):
        with pytest.raises(ModelError, match=path.name):
            load_branch(path)


@pytest.mark.parametrize("damage", ["tensor", "shape", "key", "value", "header"])
def test_a_branch_that_lacks_something_is_refused_in_one_line(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "branch.safetensors"
    save_branch(build_branch(BackboneSpec("test_vit", image_size=32), seed=0), path)
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["cass"])
    state = load_file(path)
    if damage == "tensor":
        del state["blocks.0.attn.proj.weight"]
    elif damage == "shape":
        state["blocks.0.attn.proj.weight"] = torch.zeros(2)
    elif damage == "key":
        del header["mean"]
    elif damage == "value":
        header["mean"] = [0.5]
    else:
        header = [header]
    save_file(state, path, metadata={"cass": json.dumps(header)})
    with pytest.raises(ModelError, match=r"branch\.safetensors is (damaged \(|not a branch)") as caught:
        load_branch(path)
    assert len(str(caught.value)) < 600
    assert "\n" not in str(caught.value)
