"""A command that is killed at any moment can be taken up again, and ends as if nothing had happened.

CASS_KILLS says how many random moments are tried for each command: one in the fast tests, 50 in `make campaign`.
"""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

import cass
from conftest import TINY, write_scans
from faults.harness import Job, finish, killed, start, uninterrupted

KILLS = int(os.environ.get("CASS_KILLS", "1"))
SMALL = tuple(f"--{name.replace('_', '-')}={value}".replace("'", "") for name, value in TINY.items())
COMPUTE = ("--device", "cpu")
SPEC = """
name: faults
claim: cass
data: {{scans: {{source: {labels}}}}}
networks:
  tiny: {{cnn: test_resnet, transformer: test_vit, cnn_weights: none, transformer_weights: none, image_size: 32}}
methods: {{cass: {{method_config: {{width: 32}}}}, none: {{pretraining: false}}}}
branches: [cnn, transformer, mean]
label_fractions: [0.5]
seeds: [0, 1]
batch_sizes: [8]
epochs: [1]
pretraining: {{watch_images: 32, device: cpu, num_workers: 0}}
tuning: {{probe: {{head: linear, device: cpu}}}}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images, a pretraining run and a fine-tuned one, with what the jobs name."""
    folder = tmp_path_factory.mktemp("faults")
    labels = write_scans(folder / "scans")
    (folder / "spec.yaml").write_text(SPEC.format(labels=labels))
    classes = folder / "dermofit"
    for number, name in enumerate(("AK", "BCC", "DF", "IEC", "MEL", "ML", "PYO", "SCC", "SK", "VASC")):
        (classes / name).mkdir(parents=True)
        shutil.copy(folder / f"scans/images/{number:03d}.png", classes / name / "A1.png")
    os.environ["CASS_CACHE_DIR"] = str(folder / "cache")
    run = cass.pretrain(labels, out=folder / "pretrained", **TINY).out
    cass.finetune(run, labels=labels, out=folder / "tuned", head="linear", device="cpu")
    finish(start(("--version",), folder / "warm", folder / "cache"), folder / "warm")  # imports are not timed
    return folder


def jobs(place: Path) -> dict[str, Job]:
    """The commands that are killed."""
    labels, run, tuned = (str(place / name) for name in ("scans/labels.csv", "pretrained", "tuned"))
    pretrain = ("pretrain", labels, "--out", "run", *SMALL)
    finetune = (
        "finetune",
        run,
        "--labels",
        labels,
        "--out",
        "run",
        "--epochs",
        "3",
        "--batch-size",
        "8",
        *COMPUTE,
    )
    embed = ("embed", run, labels, "--out", "table.parquet", *COMPUTE)
    predict = ("predict", tuned, labels, "--out", "table.csv", *COMPUTE)
    compare = ("compare", labels, "--out", "run", "--label-fractions", "0.5", "--finetune", "{epochs: 2}", *SMALL)
    benchmark = ("benchmark", str(place / "spec.yaml"), "--out", "run", "--jobs", "1")
    prepare = ("prepare", "dermofit", str(place / "dermofit"), "--out", "made/labels.csv")
    resume = ("--out", "run", "--resume")
    return {
        "pretrain": Job(pretrain, ("pretrain", *resume), "run", "run/config.yaml"),
        "finetune": Job(finetune, ("finetune", *resume), "run", "*run*/config.yaml"),
        "cache": Job(pretrain, ("pretrain", *resume), "run", "run/config.yaml", own_cache=True),
        "embed": Job(embed, (*embed, "--resume"), "table.parquet", ".table.parquet.parts"),
        "predict": Job(predict, (*predict, "--resume"), "table.csv", ".table.csv.parts"),
        "compare": Job(compare, ("compare", *resume), "run", "run/config.yaml"),
        "benchmark": Job(benchmark, benchmark, "run", "run"),
        "prepare": Job(prepare, prepare, "made", "made"),
    }


NAMES = (
    *("pretrain", "finetune", "cache", "embed", "predict", "prepare"),
    *(pytest.param(name, marks=pytest.mark.slow) for name in ("compare", "benchmark")),
)


@pytest.mark.xdist_group("faults")
@pytest.mark.parametrize("name", NAMES)
def test_a_killed_command_ends_as_if_nothing_had_happened(name: str, place: Path, tmp_path: Path) -> None:
    job, cache = jobs(place)[name], place / "cache"
    expected, seconds = uninterrupted(job, tmp_path / "whole", cache)
    assert expected
    moments = random.Random(f"{name} {KILLS}")
    in_time = 0
    for number in range(KILLS):
        after = moments.uniform(0, seconds)
        trial = tmp_path / f"{number}"
        (trial / "made").mkdir(parents=True)
        found, hit = killed(job, trial, cache, after=after, whole=expected)
        assert found == expected, (
            f"killed after {after:.3f} of {seconds:.3f} s: {sorted(set(found.items()) ^ set(expected.items()))}"
        )
        in_time += hit
        shutil.rmtree(trial)
    print(f"{name}: {in_time} of {KILLS} kills hit the command, which takes {seconds:.2f} s")
