from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from cass.config.finetune import TuneSettings
from cass.data.store.dataset import EpochBatches, StoredImages
from cass.data.store.store import ImageStore
from cass.models.backbones import BackboneSpec, build_branch
from cass.training.balance import Balance, choose_balance
from cass.training.engine import fit
from cass.training.finetune_module import FinetuneModule, passes_per_epoch
from cass.training.labelled import PseudoLabels
from cass.training.run_progress import RunProgress
from cass.transforms.recipes import RECIPES
from cass.transforms.views import build_views

KINDS = np.array([0] * 9 + [1] * 3)
TARGETS = np.eye(2, dtype=np.uint8)[KINDS]


def module_of(
    *,
    network: str = "test_resnet",
    fresh: bool = False,
    balance: Balance | None = None,
    pseudo: PseudoLabels | None = None,
    **settings: object,
) -> FinetuneModule:
    tuning = TuneSettings(**{"device": "cpu", "epochs": 1, "batch_size": 4, "min_steps": 1, "lr": 0.01} | settings)
    pixels = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
    images = StoredImages(ImageStore(array=pixels, unreadable={}), range(12), targets=TARGETS)
    branch = build_branch(BackboneSpec(network, image_size=32), seed=0)
    torch.manual_seed(0)
    branch.head = nn.Linear(branch.num_features, 2)
    return FinetuneModule(
        branch,
        settings=tuning,
        task="multiclass",
        balance=balance or choose_balance(tuning, TARGETS, task="multiclass"),
        images=images,
        validation=images,
        make_views=build_views(RECIPES["paper"]),
        pseudo=pseudo,
        fresh=fresh,
    )


def train(module: FinetuneModule, folder) -> list[dict[str, float]]:
    progress = RunProgress("", images_per_epoch=12)
    fit(
        module, settings=module.settings, epochs=module.settings.epochs, callbacks=[progress], logs=folder / "logs"
    )
    return progress.rows


def reset_weight(module: FinetuneModule) -> torch.Tensor:
    module.reset_head()
    return module.branch.head.weight.detach().clone()


def statistics(module: FinetuneModule) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.branch.backbone.named_buffers() if "running" in name}


@pytest.mark.parametrize(
    ("count", "batch_size", "min_steps", "passes"),
    [(4, 16, 10, 40), (160, 16, 10, 1), (159, 16, 10, 2), (9000, 16, 10, 1)],
)
def test_small_sets_are_passed_repeatedly(count: int, batch_size: int, min_steps: int, passes: int) -> None:
    assert passes_per_epoch(count, batch_size=batch_size, min_steps=min_steps) == passes
    assert len(EpochBatches(count, batch_size=batch_size, passes=passes)) >= min_steps


def test_pretrained_batch_statistics_are_kept_and_weights_are_trained(tmp_path) -> None:
    module = module_of()
    before, kernel = statistics(module), next(module.branch.backbone.parameters()).detach().clone()
    train(module, tmp_path)
    assert before
    assert all(torch.equal(value, before[name]) for name, value in statistics(module).items())
    assert not torch.equal(next(module.branch.backbone.parameters()), kernel)


def test_gradient_checkpointing_trains_the_same_network(tmp_path) -> None:
    plain, checkpointed = module_of(), module_of(gradient_checkpointing=True)
    recomputed = []
    block = checkpointed.branch.backbone.get_submodule("layer1.0.conv1")
    block.register_forward_hook(lambda *_: recomputed.append(torch.is_grad_enabled()))
    for module in (plain, checkpointed):
        train(module, tmp_path)
    assert sum(recomputed) == 2 * 3  # twice in each of 3 steps
    for name, value in plain.branch.state_dict().items():
        torch.testing.assert_close(checkpointed.branch.state_dict()[name], value, msg=name)


def test_a_network_of_random_numbers_takes_each_batch_and_one_rate(tmp_path) -> None:
    module = module_of(fresh=True)
    before = statistics(module)
    train(module, tmp_path)
    assert not any(
        torch.equal(value, before[name]) for name, value in statistics(module).items() if "mean" in name
    )
    assert len({group["initial_lr"] for group in module.optimizers().param_groups}) == 1


def test_the_head_of_a_network_of_random_numbers_starts_small_and_the_same_for_a_seed() -> None:
    module = module_of(fresh=True)
    with torch.no_grad():
        module.branch.head.weight.mul_(1000)
    module.reset_head()
    weight = module.branch.head.weight.detach().clone()
    assert weight.std() == pytest.approx(0.02, rel=0.1)
    assert not module.branch.head.bias.any()
    module.reset_head()
    assert torch.equal(module.branch.head.weight, weight)
    assert not torch.equal(weight, reset_weight(module_of(fresh=True, seed=1)))


def test_untuned_layers_stay_as_they_are(tmp_path) -> None:
    module = module_of(tuned_share=0.5, fresh=True)
    before = {name: value.clone() for name, value in module.branch.state_dict().items()}
    train(module, tmp_path)
    after = module.branch.state_dict()
    frozen = [name for name in after if "layer4" in name]
    assert frozen
    assert all(torch.equal(after[name], before[name]) for name in frozen)
    assert not torch.equal(after["head.weight"], before["head.weight"])
    assert not torch.equal(after["backbone.conv1.0.weight"], before["backbone.conv1.0.weight"])


def test_dropout_is_on_in_training_and_off_in_validation(tmp_path) -> None:
    module = module_of()
    module.branch.eval()
    seen = []
    module.branch.head.register_forward_hook(lambda part, *_: seen.append(part.training))
    train(module, tmp_path)
    assert seen == [True] * 3 + [False]


def test_an_image_that_comes_twice_is_augmented_anew(tmp_path) -> None:
    module = module_of(min_steps=6)
    drawn: list[int] = []
    views = module.make_views

    def spy(images, seed, rows):
        drawn.extend(rows.tolist())
        return views(images, seed, rows)

    module.make_views = spy
    train(module, tmp_path)
    assert drawn == list(range(24))


@pytest.mark.parametrize("accumulate", [1, 2])
def test_runs_repeat_and_parts_do_not_matter(tmp_path, accumulate: int) -> None:
    rows = []
    for run in range(2):
        rows.append(train(module_of(accumulate=accumulate if run else 1), tmp_path / f"{run}")[0])
    for name in ("train/loss", "val/loss"):
        assert rows[0][name] == pytest.approx(rows[1][name], rel=1e-3)


def test_balance_says_what_is_done() -> None:
    weights = choose_balance(TuneSettings(), TARGETS, task="multiclass")
    sampling = choose_balance(TuneSettings(balance="sampling"), TARGETS, task="multiclass")
    none = choose_balance(TuneSettings(balance="none"), TARGETS, task="multiclass")
    labels = choose_balance(TuneSettings(balance="sampling"), TARGETS, task="multilabel")
    assert [b.kind for b in (weights, sampling, none, labels)] == ["weights", "sampling", "none", "weights"]
    torch.testing.assert_close(weights.weights, torch.tensor([12 / 18, 2.0]))
    # What is drawn evenly is not weighted a second time, yet probe and validation weigh all classes alike.
    assert sampling.training_weights is None
    torch.testing.assert_close(sampling.weights, weights.weights)
    assert none.weights is None
    assert none.classes is None


def test_sampling_serves_every_class_equally_often() -> None:
    module = module_of(balance=choose_balance(TuneSettings(balance="sampling"), TARGETS, task="multiclass"))
    served = torch.cat([batch.targets for batch in module.train_dataloader()])
    assert served.sum(dim=0).tolist() == [6, 6]


def test_validation_loss_is_the_log_loss_at_the_best_temperature() -> None:
    module = module_of()
    targets = torch.from_numpy(np.tile(TARGETS, (3, 1)))
    logits = targets + torch.randn(36, 2, generator=torch.manual_seed(0))
    losses = [module.measure(factor * logits, targets)["loss"] for factor in (0.5, 1.0, 4.0)]
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-3)
    grid = [float(nn.functional.cross_entropy(logits / t, targets.argmax(dim=1))) for t in np.logspace(-1, 1, 99)]
    assert losses[0] == pytest.approx(min(grid), rel=0.02)
    # Too few images for a temperature: the log loss as it is.
    few = float(nn.functional.cross_entropy(logits[:12], targets[:12].argmax(dim=1)))
    assert module.measure(logits[:12], targets[:12])["loss"] == pytest.approx(few, rel=1e-5)


def test_pseudo_labels_are_learned_beside_the_labels_and_repeat(tmp_path) -> None:
    """Black images have no label but the other branch's opinion, which decides what they become."""
    black = StoredImages(
        ImageStore(array=np.zeros((12, 32, 32, 3), np.uint8), unreadable={}),
        range(12),
        targets=np.tile(np.float32([0.1, 0.9]), (12, 1)),
    )
    image = torch.zeros(1, 3, 32, 32)
    found = []
    for number, pseudo in enumerate((PseudoLabels(black, np.ones((12, 2), np.float32)),) * 2 + (None,)):
        module = module_of(pseudo=pseudo, epochs=4, balance=Balance("none", None, None))
        train(module, tmp_path / str(number))
        with torch.no_grad():
            found.append(module.branch.eval()(image).softmax(dim=1)[0, 1].item())
    assert found[0] == found[1]
    assert found[0] > max(0.6, found[2] + 0.1)
