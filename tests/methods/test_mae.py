from __future__ import annotations

import pytest
import torch

from cass.config.base import build_config
from cass.errors import ConfigError, ModelError
from cass.methods.base import METHODS, branch_names
from cass.methods.mae import MAE
from cass.models.backbones import BackboneSpec, build_branch
from learners import learner, views


def test_loss_is_the_error_of_the_hidden_patches_alone() -> None:
    own = learner("mae", width=32, depth=1, mask_ratio=0.5).eval()
    (view,) = views(32)
    torch.nn.init.zeros_(own.predict.weight)
    torch.nn.init.constant_(own.predict.bias, 0.5)  # every hidden patch is drawn as 0.5
    with torch.no_grad():
        images = ((view - own.branch.mean) / own.branch.std).double()
        patches = images.unfold(2, 16, 16).unfold(3, 16, 16).permute(0, 2, 3, 4, 5, 1).reshape(8, 4, -1)
        wanted = (patches - patches.mean(-1, keepdim=True)) / (patches.var(-1, keepdim=True) + 1e-6).sqrt()
        torch.manual_seed(2)
        hidden = torch.rand(8, 4).argsort(dim=1)[:, 2:]
        errors = (wanted - 0.5).square().mean(dim=-1).gather(1, hidden)
        torch.manual_seed(2)
        assert own([view]).item() == pytest.approx(float(errors.mean()), rel=1e-4)


def test_hidden_patches_do_not_reach_the_encoder() -> None:
    own = learner("mae", width=32, depth=1).eval()
    (view,) = views(32)
    seen: list[torch.Size] = []
    own.branch.backbone.blocks.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].shape))
    own([view])
    assert seen[0][1] == 1 + own.branch.backbone.num_prefix_tokens  # a quarter of four patches


def test_it_takes_plain_transformers_alone() -> None:
    with pytest.raises(ConfigError, match="--method mae cannot train --branch both"):
        branch_names(METHODS["mae"], "mae", "both")
    branch = build_branch(BackboneSpec("test_resnet", image_size=32, option="--transformer"), seed=0)
    with pytest.raises(ModelError, match="--method mae cannot train --transformer 'test_resnet'"):
        MAE(build_config(MAE.Config, {}), {"transformer": branch})
