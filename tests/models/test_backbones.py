from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from cass.errors import ModelError
from cass.models.backbones import BackboneSpec, build_branch

SHARED = Path(__file__).resolve().parents[3] / "shared"


def spec(name: str, weights: str = "none", **kwargs: object) -> BackboneSpec:
    return BackboneSpec(name=name, weights=weights, **{"image_size": 32, **kwargs})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "test_convnext", "test_efficientnet"])
@pytest.mark.parametrize("in_chans", [1, 3, 5])
def test_embeds_any_pair_and_number_of_channels(name: str, in_chans: int) -> None:
    branch = build_branch(spec(name, in_chans=in_chans), seed=0).eval()
    assert branch.embed(torch.rand(2, in_chans, 32, 32)).shape == (2, branch.num_features)
    assert branch.head is None


def test_swin_takes_its_image_size() -> None:
    branch = build_branch(
        spec("swin_tiny_patch4_window7_224", image_size=64, args={"embed_dim": 24, "depths": (1, 1, 1, 1)}),
        seed=0,
    )
    assert branch.eval().embed(torch.rand(1, 3, 64, 64)).shape == (1, branch.num_features)


def test_the_seed_decides_the_start_and_nothing_else_moves() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, same, other = (build_branch(spec("test_vit"), seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    weight = "blocks.0.attn.qkv.weight"
    assert torch.equal(first.backbone.state_dict()[weight], same.backbone.state_dict()[weight])
    assert not torch.equal(first.backbone.state_dict()[weight], other.backbone.state_dict()[weight])


def test_weights_of_a_file_or_its_folder_bring_their_classifier(tmp_path: Path) -> None:
    network = timm.create_model("test_resnet", num_classes=7)
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    for weights in (tmp_path, tmp_path / "weights.safetensors"):
        branch = build_branch(spec("test_resnet", str(weights)), seed=0).eval()
        assert branch.head is not None
        images = torch.rand(2, 3, 32, 32)
        expected = network.eval()((images - branch.mean) / branch.std)
        torch.testing.assert_close(branch(images), expected)


def test_weights_without_classifier_bring_no_head(tmp_path: Path) -> None:
    network = timm.create_model("test_vit", num_classes=0, img_size=64)
    save_file(network.state_dict(), tmp_path / "vit.safetensors")
    assert build_branch(spec("test_vit", str(tmp_path / "vit.safetensors")), seed=0).head is None


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"name": "resnt50"}, "resnet50"),
        ({"name": "vit_small_patch14_dinov2", "image_size": 100}, "98 or 112"),
        ({"name": "test_resnet", "weights": "missing.safetensors"}, "missing.safetensors"),
        ({"name": "test_resnet", "args": {"no_such": 1}}, "no_such"),
    ],
)
def test_bad_settings_are_named_in_one_line(settings: dict[str, object], says: str) -> None:
    with pytest.raises(ModelError) as caught:
        build_branch(spec(**settings), seed=0)  # type: ignore[arg-type]
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_pickle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(timm.create_model("test_resnet").state_dict(), path)
    with pytest.raises(ModelError, match="not a safetensors file"):
        build_branch(spec("test_resnet", str(path)), seed=0)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    save_file(timm.create_model("test_vit").state_dict(), tmp_path / "vit.safetensors")
    with pytest.raises(ModelError, match="does not fit 'test_resnet'"):
        build_branch(spec("test_resnet", str(tmp_path / "vit.safetensors")), seed=0)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared pretrained weights are not beside the project")
def test_real_pretrained_weights_load() -> None:
    weights = SHARED / "weights"
    cnn = build_branch(
        spec("efficientnet_lite0", str(weights / "efficientnet_lite0.safetensors"), image_size=98), seed=0
    )
    vit = build_branch(
        spec("vit_small_patch14_dinov2", str(weights / "vit_small_patch14_dinov2.safetensors"), image_size=98),
        seed=0,
    )
    assert cnn.head is not None
    assert cnn.head.out_features == 1000
    assert vit.head is None
    assert vit.eval().embed(torch.rand(1, 3, 98, 98)).shape == (1, 384)


def test_weights_of_another_network_name_what_does_not_fit(tmp_path: Path) -> None:
    save_file(timm.create_model("test_vit").state_dict(), tmp_path / "vit.safetensors")
    with pytest.raises(
        ModelError, match=r"does not fit 'test_resnet': Missing key\(s\) in state_dict: .*conv"
    ) as caught:
        build_branch(spec("test_resnet", str(tmp_path / "vit.safetensors")), seed=0)
    assert "\n" not in str(caught.value)
