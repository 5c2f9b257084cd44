"""The start of a pretraining as a run folder: what methods are compared with that pretrain not at all."""

from __future__ import annotations

from cass.auditing.kept_pairs import near_families
from cass.config.pretrain import PretrainConfig
from cass.data.manifest.manifest import load_manifest
from cass.data.splits.kept import write_splits
from cass.data.store.statistics import channel_statistics
from cass.files import write_json
from cass.models.checkpoints import save_branch
from cass.runs.folder import CHECKPOINTS, SPLITS_FILE, SUMMARY, staged, write_start
from cass.runs.inputs import decode, make_plan
from cass.training.start import start_branch, uses_image_statistics
from cass.types import BRANCHES


def write_starting_run(config: PretrainConfig) -> None:
    """Write both branches as a pretraining with these settings would start them.

    Splits and normalisation are those of that pretraining, so that ``cass finetune --without-pretraining`` gives
    the same here and there.

    Args:
        config: Settings of the pretraining; ``out`` must be free.

    Raises:
        CassError: A setting, the data set, the networks or the output folder cannot be used.
    """
    manifest = load_manifest(config.data, config)
    plan = make_plan(manifest, seed=config.seed, families=near_families)
    inputs = decode(
        plan,
        plan.rows("train", "val"),
        image_size=config.image_size,
        in_chans=config.in_chans,
        purpose="the start",
        cache=config.cache,
    )
    bits = 8 * inputs.images.array.dtype.itemsize
    with staged(config.out) as folder:
        write_start(folder, config)
        write_splits(folder / SPLITS_FILE, plan.manifest, plan.splits, plan.digests)
        (folder / CHECKPOINTS).mkdir()
        for name in BRANCHES:
            branch = start_branch(config, name)
            if uses_image_statistics(config, name, bits=bits):
                branch.set_normalization(*channel_statistics(inputs.images, inputs.rows("train")))
            branch.head = None
            save_branch(branch, folder / CHECKPOINTS / f"{name}.safetensors")
        summary = {
            "kind": "start",
            "generated_data": plan.manifest.generated,
            "epochs": 0,
            "seconds": 0.0,
            "splits": plan.counts(),
            "splits_source": plan.source,
            "branches": {},
        }
        write_json(folder / SUMMARY, summary)
