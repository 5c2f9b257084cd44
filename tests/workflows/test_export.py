"""``cass export``: what other software makes of the files, without cass."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import timm
from PIL import Image

import cass
from cass.errors import ConfigError, OutputError

FORMATS = ("timm", "onnx", "torchscript", "huggingface")
READERS = {
    "timm": """
import timm, torch
model = timm.create_model("local-dir:" + folder, pretrained=True).eval()
mean, std = (torch.tensor(model.pretrained_cfg[key]).view(1, -1, 1, 1) for key in ("mean", "std"))
with torch.no_grad():
    found = model((torch.from_numpy(images) - mean) / std).softmax(dim=1).numpy()
""",
    "onnx": """
import onnxruntime
session = onnxruntime.InferenceSession(folder + "/model.onnx")
found = session.run(["probabilities"], {"images": images})[0]
""",
    "torchscript": """
import torch
with torch.no_grad():
    found = torch.jit.load(folder + "/model.pt")(torch.from_numpy(images))[1].numpy()
""",
}
READERS["huggingface"] = READERS["timm"]
SCRIPT = """
import json, sys
folder, *names = sys.argv[1:]
sys.path.insert(0, folder)
import numpy as np
from preprocess import read_image
images = np.stack([read_image(name) for name in names])
{reader}
assert "cass" not in sys.modules
print(json.dumps(found.tolist()))
"""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A colour image, a grey one, and a grey one of 16 bits, of other sizes than the network's."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (50, 70, 3), dtype=np.uint8)).save(folder / "colour.png")
    Image.fromarray(rng.integers(0, 256, (40, 40), dtype=np.uint8)).save(folder / "grey.png")
    Image.fromarray(rng.integers(0, 65536, (64, 48), dtype=np.uint16)).save(folder / "deep.png")
    return sorted(folder.glob("*.png"))


@pytest.mark.parametrize("kind", FORMATS)
def test_other_software_gives_the_same_probabilities(
    tuned: Path, pictures: list[Path], tmp_path: Path, kind: str
) -> None:
    result = cass.export(tuned, out=tmp_path / "exported", format=kind)
    means = []
    for path in result.files.values():
        assert path.is_file()
        line = [sys.executable, "-c", SCRIPT.replace("{reader}", READERS[kind]), str(path.parent)]
        done = subprocess.run([*line, *map(str, pictures)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        means.append(np.array(json.loads(done.stdout.splitlines()[-1])))
    # One at a time: a cache of images of several depths would store all in 16 bits.
    for row, picture in enumerate(pictures):
        out = tmp_path / f"{picture.stem}.csv"
        cass.predict(tuned, str(picture), out=out, device="cpu")
        expected = pd.read_csv(out).filter(like="probability_").to_numpy()[0]
        np.testing.assert_allclose(np.mean(means, axis=0)[row], expected, atol=1e-4)


def test_plain_timm_takes_the_weights_by_checkpoint_path(tuned: Path, tmp_path: Path) -> None:
    result = cass.export(tuned, out=tmp_path / "exported", format="timm", branch="cnn")
    assert list(result.files) == ["cnn"]
    timm.create_model("test_resnet", num_classes=3, checkpoint_path=str(result.files["cnn"]))


def test_the_card_tells_budget_results_and_limits(tuned: Path, scans: Path, tmp_path: Path) -> None:
    cass.evaluate(tuned, labels=scans, device="cpu")
    cass.export(tuned, out=tmp_path / "exported", format="huggingface")
    folder = tmp_path / "exported" / "transformer"
    card = (folder / "README.md").read_text()
    summary = json.loads((tuned / "summary.json").read_text())
    assert card.startswith("---\ntags:")
    assert f"Label budget: {summary['n_labels']} labelled training images" in card
    assert "balanced accuracy" in card
    assert "Collapse watch" in card
    assert "not a medical device" in card
    assert str(tmp_path) not in card
    config = json.loads((folder / "config.json").read_text())
    assert config["label_names"] == summary["classes"]
    assert json.loads((folder / "preprocessor_config.json").read_text())["do_normalize"]


def test_a_pretraining_run_exports_embeddings(pretrained: Path, pictures: list[Path], tmp_path: Path) -> None:
    result = cass.export(pretrained, out=tmp_path / "exported", format="onnx", branch="transformer")
    import onnxruntime

    session = onnxruntime.InferenceSession(str(result.files["transformer"]))
    model, transform, _ = cass.load(pretrained, "transformer")
    image = transform(pictures[0])[None]
    (found,) = session.run(None, {"images": image.numpy()})
    np.testing.assert_allclose(found, model.embed(image).detach().numpy(), atol=1e-4)
    assert "embeddings of" in (result.files["transformer"].parent / "README.md").read_text()


def test_what_cannot_be_exported_is_said(tuned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    with pytest.raises(OutputError, match="taken"):
        cass.export(tuned, out=tmp_path / "taken")
    monkeypatch.setattr("cass.resolve.export.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="pip install onnx"):
        cass.export(tuned, out=tmp_path / "onnx", format="onnx")
    assert not (tmp_path / "onnx").exists()
