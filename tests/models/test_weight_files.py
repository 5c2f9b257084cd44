from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from cass.errors import ModelError
from cass.models.weight_files import classifier_width, weight_file


def write(path: Path) -> Path:
    save_file({"head.weight": torch.zeros(5, 8), "stem.weight": torch.zeros(8, 3)}, path)
    return path


def test_a_file_or_a_folder_that_holds_one_is_found(tmp_path: Path) -> None:
    one = write(tmp_path / "one.safetensors")
    assert weight_file(one, option="--cnn-weights") == one
    assert weight_file(tmp_path, option="--cnn-weights") == one
    write(tmp_path / "two.safetensors")
    with pytest.raises(ModelError, match=r"--cnn-weights .* holds 2 safetensors files"):
        weight_file(tmp_path, option="--cnn-weights")
    model = write(tmp_path / "model.safetensors")
    assert weight_file(tmp_path, option="--cnn-weights") == model


def test_what_is_not_there_or_would_have_to_be_unpickled_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not exist"):
        weight_file(tmp_path / "no.safetensors", option="--cnn-weights")
    torch.save({"head.weight": torch.zeros(5, 8)}, tmp_path / "pickled.safetensors")
    with pytest.raises(ModelError, match="not a safetensors file"):
        weight_file(tmp_path / "pickled.safetensors", option="--cnn-weights")


@pytest.mark.parametrize(("classifier", "width"), [("head", 5), ("fc", 0), (None, 0), (("a", "b"), 0)])
def test_the_width_of_the_classifier_is_that_of_its_weight(
    tmp_path: Path, classifier: str | tuple[str, ...] | None, width: int
) -> None:
    assert classifier_width(write(tmp_path / "w.safetensors"), classifier) == width
