"""Published weights: found in a folder, downloaded once, or missed in one line."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from cass.errors import ModelError
from cass.models.backbones import BackboneSpec, build_branch
from cass.models.imagenet import published, published_file
from conftest import write_scans

NAME = "test_resnet.r160_in1k.safetensors"
REST = ["--transformer", "test_vit", "--transformer-weights", "none", "--image-size", "32", "--device", "cpu"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with weights of test_resnet, named as timm names those that it publishes."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(7)
    save_file(timm.create_model("test_resnet").state_dict(), folder / NAME)
    return folder


def cass(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "CASS_W"))}
    return subprocess.run(
        [sys.executable, "-m", "cass", *map(str, words)],
        env=variables | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_folder_of_weights_is_found(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASS_WEIGHTS_DIR", str(weights))
    spec = BackboneSpec("test_resnet", weights="imagenet", image_size=32)
    found = build_branch(spec, seed=0)
    named = build_branch(BackboneSpec("test_resnet", weights=str(weights), image_size=32), seed=1)
    for one, other in zip(found.parameters(), named.parameters(), strict=True):
        assert torch.equal(one, other)
    assert found.head is not None
    with pytest.raises(
        ModelError, match=r"--transformer: the weights test_vit\.r160_in1k\.safetensors are not on"
    ):
        build_branch(BackboneSpec("test_vit", weights="imagenet", option="--transformer"), seed=0)
    monkeypatch.setenv("CASS_WEIGHTS_DIR", str(weights / "nowhere"))
    with pytest.raises(ModelError, match=r"CASS_WEIGHTS_DIR=.*nowhere is not a folder"):
        build_branch(spec, seed=0)


def test_networks_without_safe_weights_are_refused() -> None:
    with pytest.raises(ModelError, match="does not unpickle"):
        published("gcvit_tiny", option="--cnn")
    with pytest.raises(ModelError, match="publishes no weights for 'resnet10x'"):
        published("resnet10x", option="--cnn")
    with pytest.raises(ModelError, match=r"HF_HUB_OFFLINE is set.*cass weights test_vit --out weights"):
        published_file("test_vit", option="--cnn")


def test_without_internet_the_answer_is_one_line(tmp_path: Path) -> None:
    scans = write_scans(tmp_path)
    done = cass(
        *("pretrain", scans, "--out", tmp_path / "run", "--cnn", "test_resnet", *REST),
        HF_ENDPOINT="http://127.0.0.1:9",
        HF_HOME=str(tmp_path),
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert f"--cnn: the weights {NAME} are not on this machine" in line
    assert "http://127.0.0.1:9 cannot be reached" in line
    assert "cass weights test_resnet" in line
    assert not (tmp_path / "run").exists()


@pytest.fixture
def hub(weights: Path) -> Iterator[str]:
    """A server that answers as Hugging Face's hub does for one file."""
    content = (weights / NAME).read_bytes()

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            known = self.path in ("/", "/timm/test_resnet.r160_in1k/resolve/main/model.safetensors")
            self.send_response(200 if known else 404)
            self.send_header("X-Repo-Commit", "0" * 40)
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_weights_are_downloaded_and_carried_to_another_machine(hub: str, weights: Path, tmp_path: Path) -> None:
    folder = tmp_path / "carried"
    online = {"HF_ENDPOINT": hub, "HF_HOME": str(tmp_path / "hub"), "HF_HUB_DISABLE_XET": "1"}
    done = cass("weights", "test_resnet", "--out", folder, **online)
    assert done.returncode == 0, done.stderr
    assert f"{NAME}: 1." in done.stdout
    assert (folder / NAME).read_bytes() == (weights / NAME).read_bytes()
    scans = write_scans(tmp_path)
    offline = {"HF_ENDPOINT": "http://127.0.0.1:9", "CASS_WEIGHTS_DIR": str(folder)}
    line = ("pretrain", scans, "--out", tmp_path / "run", "--cnn", "test_resnet", *REST, "--epochs", "1")
    done = cass(*line, **offline, HF_HOME=str(tmp_path / "none"))
    assert done.returncode == 0, done.stderr
    assert "test_resnet from ImageNet weights" in done.stderr
    missing = cass("weights", "test_vit", "--out", folder, **online)
    assert missing.returncode == 2
    assert "the download failed" in missing.stderr.splitlines()[-1]
