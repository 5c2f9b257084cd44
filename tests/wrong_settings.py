"""Wrong settings of every command: the command line, and what its one-line answer must say.

The lines run in a folder that :func:`prepare_folder` fills. ``tests/test_wrong_settings.py`` runs them in one
process, ``benchmarks/wrong_settings.py`` measures how long each takes.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

FIXTURES = Path(__file__).resolve().parent / "fixtures" / "written_by_0_1"


class Wrong(NamedTuple):
    """A command line with a mistake, and the words that its answer must hold: the option or file, and the fix."""

    line: str
    says: tuple[str, ...]


def wrong(line: str, *says: str) -> Wrong:
    return Wrong(line, says)


def prepare_folder(folder: Path) -> None:
    """Fill a folder with images, finished runs, and files that are not what they should be."""
    shutil.copytree(FIXTURES, folder, dirs_exist_ok=True)
    (folder / "empty").mkdir()
    begun = folder / ".begun.unfinished"
    begun.mkdir()
    settings = (folder / "tuned" / "config.yaml").read_text().replace("out: tuned", "out: begun")
    (begun / "config.yaml").write_text(settings)
    (folder / "notes.txt").write_text("not an image")
    (folder / "weights.safetensors").write_text("not safetensors")
    (folder / "taken.csv").write_text("image,label\n")
    (folder / "no_image_column.csv").write_text("file,label\na.png,x\n")
    (folder / "unlabelled.csv").write_text("image\nscans/00.png\nscans/01.png\n")
    spec = (folder / "bench.yaml").read_text()
    for name, old, new in (
        ("method", "published: {method: cass, ", "published: {method: cas, "),
        ("objective", "objective: cosine", "objective: cosin"),
        ("setting", "method_config: {width: 16}}\n  published", "method_config: {widht: 16}}\n  published"),
        ("size", "image_size: 32", "image_size: 30"),
        ("tuning", "{head: linear}", "{views: papr}"),
        ("network", "cnn: resnet10t", "cnn: resnet10x"),
        ("key", "label_fractions:", "label_fraction:"),
        ("claim", "claim: cass", "claim: cas"),
        ("data", "source: scans", "source: scnas"),
        ("grid", "seeds: [0]", "seeds: [0]\ngrids: {main: {methods: [cas]}}"),
    ):
        assert old in spec, name
        (folder / f"wrong_{name}.yaml").write_text(spec.replace(old, new))


_PRETRAIN = "pretrain scans --out new --config settings.yaml"
_COMPARE = "compare scans --out new --config settings.yaml"
_FINETUNE = "finetune pretrained --labels scans --out new --device cpu"

WRONG = [
    # audit
    wrong("audit scnas", "scnas does not exist", "Did you mean 'scans'?"),
    wrong("audit empty", "No images in empty", "cass reads"),
    wrong("audit notes.txt", "notes.txt is not a folder, an image or a table"),
    wrong("audit no_image_column.csv", "no column 'image'", "--image-column"),
    wrong("audit scans --label-columns edema", "'edema'", "label column"),
    wrong("audit scans --html nowhere/a.html", "--html nowhere/a.html", "Create it"),
    wrong("audit scans --json nowhere/a.json", "--json nowhere/a.json", "Create it"),
    wrong("audit scans --run scans", "scans holds no finished branches", "finished cass pretrain"),
    wrong("audit scans --device gpu", "--device gpu", "Use --device cpu"),
    wrong("audit scans --seed -1", "--seed", "at least 0"),
    wrong("audit scans/labels.csv --html scans/labels.csv", "--html scans/labels.csv is an input", "another file"),
    wrong(
        "audit scans --json scans/labels.csv --overwrite", "--json scans/labels.csv is an input", "another file"
    ),
    wrong("audit scans --json taken.csv", "--json taken.csv already exists", "--overwrite"),
    # split
    wrong("split scans --out splits.txt", "--out splits.txt is not a .csv file", "labels.csv"),
    wrong("split scans --out taken.csv", "--out taken.csv already exists", "name a new file"),
    wrong("split scans --out nowhere/a.csv", "--out nowhere/a.csv", "Create it"),
    wrong("split scans --out a.csv --ratios 0.5 --ratios 0.5", "--ratios 0.5 0.5 is not accepted"),
    wrong("split scans --out a.csv --ratios 1 --ratios 0 --ratios 0", "--ratios", "Give three shares above 0"),
    wrong("split scans", "cass split needs --out"),
    # weights
    wrong("weights resnet50x --out new", "timm has no model 'resnet50x'", "Did you mean 'resnet50'"),
    wrong("weights gcvit_tiny --out new", "'gcvit_tiny'", "does not unpickle", "choose another network"),
    wrong("weights test_vit --out taken.csv", "--out taken.csv is a file", "Name a folder"),
    wrong("weights --out new", "cass weights needs NETWORKS"),
    # prepare
    wrong("prepare isic2019 nowhere", "nowhere does not exist", "Give the folder"),
    wrong("prepare isic2019 scans --out a.txt", "--out a.txt is not a .csv file"),
    wrong("prepare dermofit scans --out taken.csv", "--out taken.csv already exists"),
    wrong("prepare brain-tumor-mri taken.csv", "taken.csv is not a folder"),
    wrong("prepare multilabel scans --labels nowhere.csv --out a.csv", "nowhere.csv"),
    wrong("prepare dicom scans --out new", "scans", "DICOM"),
    wrong("prepare dicom scans --out new --window 40", "--window", "40/400"),
    wrong("prepare dicom scans --out new --frames some", "--frames", "some"),
    wrong("prepare nifti scans --out new", "scans/labels.csv line 2", ".nii"),
    wrong("prepare nifti scans --out new --window file", "--window", "percentile"),
    wrong("prepare nifti scans --out new --axis up", "--axis", "axial"),
    wrong("prepare slides scans --out new", "scans/labels.csv line 2", ".svs"),
    wrong("prepare slides scans --out new --tissue 2", "--tissue", "at most 1"),
    wrong("prepare video scans --out new", "video"),
    # pretrain
    wrong(f"{_PRETRAIN} --method cas", "--method 'cas'", "Did you mean 'cass'"),
    wrong(f"{_PRETRAIN} --objective cosin", "--objective 'cosin'", "Use --objective"),
    wrong(f"{_PRETRAIN} --method dino --objective joint", "--method dino has no --objective", "Drop --objective"),
    wrong(f"{_PRETRAIN} --method-config '{{widht: 8}}'", "--method-config", "Did you mean 'width'"),
    wrong(f"{_PRETRAIN} --method-config 8", "--method-config '8' is not a YAML mapping", "{key: value"),
    wrong(f"{_PRETRAIN} --branch cnn", "--branch cnn", "Use --branch both"),
    wrong(f"{_PRETRAIN} --views xray", "--views 'xray'", "general"),
    wrong(f"{_PRETRAIN} --views dino", "--views dino makes 8 views", "Drop --views"),
    wrong(f"{_PRETRAIN} --cnn resnet50x", "--cnn", "Did you mean 'resnet50"),
    wrong(f"{_PRETRAIN} --transformer vit_tiny", "--transformer", "vit_tiny", "timm"),
    wrong(
        f"{_PRETRAIN} --cnn test_vit --transformer resnet10t --cnn-args {{}} --transformer-args {{}}",
        "--cnn 'test_vit' is a vision Transformer",
        "Swap them",
    ),
    wrong(f"{_PRETRAIN} --cnn-weights nowhere.safetensors", "--cnn-weights nowhere.safetensors", "'none'"),
    wrong(f"{_PRETRAIN} --cnn-weights weights.safetensors", "--cnn-weights weights.safetensors", "safetensors"),
    wrong(f"{_PRETRAIN} --transformer-weights empty", "--transformer-weights empty", "Name the file"),
    wrong(f"{_PRETRAIN} --image-size 30", "--image-size 30", "Use 16 or 32"),
    wrong(f"{_PRETRAIN} --cnn-args '{{chanels: 4}}'", "--cnn", "chanels", "Check --cnn-args"),
    wrong(f"{_PRETRAIN} --device gpu", "--device gpu", "Use --device cpu"),
    wrong(f"{_PRETRAIN} --device cuda", "--device gpu", "Use --device cpu"),
    wrong(f"{_PRETRAIN} --device cuda:1", "--device", "cuda:1", "CUDA_VISIBLE_DEVICES"),
    wrong(f"{_PRETRAIN} --precision 16", "--precision 16", "'bf16'"),
    wrong(f"{_PRETRAIN} --epochs ten", "--epochs", "ten"),
    wrong(f"{_PRETRAIN} --epochs 0", "--epochs", "at least 1"),
    wrong(f"{_PRETRAIN} --batch-size abc", "--batch-size", "abc"),
    wrong(f"{_PRETRAIN} --optimizer sgd", "--optimizer", "adamw"),
    wrong("pretrain scans --out tuned", "tuned is not empty", "--out"),
    wrong(
        "pretrain scans --out stopped --config settings.yaml --resume --epochs 9",
        "epochs = 4",
        "give --out and --resume alone",
    ),
    wrong("pretrain scans --out new --config nowhere.yaml", "nowhere.yaml", "Check the path"),
    wrong("pretrain scnas --out new --config settings.yaml", "scnas does not exist", "'scans'"),
    wrong("pretrain --out new", "cass pretrain needs IMAGES"),
    # finetune
    wrong(f"{_FINETUNE} --views papr", "--views 'papr'", "Did you mean 'paper'"),
    wrong(f"{_FINETUNE} --branch both --head line", "--head", "linear"),
    wrong(f"{_FINETUNE} --label-fraction 10", "--label-fraction", "at most 1"),
    wrong(
        "finetune scans --labels scans --out new",
        "scans is not a run folder of cass pretrain",
        "cass pretrain first",
    ),
    wrong(
        "finetune stopped --labels scans --out new", "stopped holds no finished branches", "finished cass pretrain"
    ),
    wrong("finetune pretrained --labels scans --out tuned", "tuned is not empty", "--out"),
    wrong("finetune pretrained --labels scans --out begun", "begun was begun and not finished", "--resume"),
    wrong("finetune --out begun --resume --epochs 9", "epochs = 1, not 9", "give --out and --resume alone"),
    wrong("finetune pretrained --labels unlabelled.csv --out new", "unlabelled.csv has no labels", "label"),
    wrong("finetune pretrained --out new", "cass finetune needs --labels"),
    # evaluate
    wrong("evaluate pretrained --labels scans", "pretrained is not a run of cass finetune", "cass finetune"),
    wrong("evaluate nowhere --labels scans", "nowhere", "cass finetune"),
    wrong("evaluate tuned --labels scnas", "scnas does not exist", "'scans'"),
    wrong("evaluate tuned --labels scans --split tst", "--split", "test"),
    wrong("evaluate tuned --labels scans --device gpu", "--device gpu", "Use --device cpu"),
    # embed and predict
    wrong("embed nowhere scans --out new.parquet", "nowhere", "finished"),
    wrong("embed pretrained scans --out new.csv", "new.csv cannot be written as .csv", ".parquet"),
    wrong("embed pretrained scans --out new.npy", "new.npy cannot be written as .npy", ".parquet"),
    wrong("predict tuned scans --out new.xlsx", "new.xlsx cannot be written as .xlsx", ".csv or .parquet"),
    wrong("embed pretrained scans --out new.parquet --branch cn", "--branch", "cnn"),
    wrong("predict pretrained scans --out new.csv", "pretrained is not a run of cass finetune", "cass finetune"),
    wrong("predict tuned scans --out predictions.csv", "predictions.csv", "--out"),
    wrong("predict tuned empty --out new.csv", "No images in empty", "cass reads"),
    # compare
    wrong(f"{_COMPARE} --finetune '{{views: papr}}'", "--finetune", "--views 'papr'", "Did you mean 'paper'"),
    wrong(f"{_COMPARE} --finetune '{{epoch: 3}}'", "epoch", "Did you mean 'epochs'"),
    wrong(f"{_COMPARE} --label-fractions 2", "--label-fractions 2", "(0, 1]"),
    wrong(f"{_COMPARE} --views xray", "--views 'xray'", "general"),
    wrong("compare unlabelled.csv --out new --config settings.yaml", "unlabelled.csv has no labels", "label"),
    # benchmark
    wrong("benchmark nowhere.yaml --out new", "nowhere.yaml", "Check the path"),
    wrong("benchmark wrong_method.yaml --out new", "'cas'", "Did you mean 'cass'"),
    wrong("benchmark wrong_objective.yaml --out new", "'cosin'", "--objective"),
    wrong("benchmark wrong_setting.yaml --out new", "widht", "Did you mean 'width'"),
    wrong("benchmark wrong_size.yaml --out new", "--image-size 30", "Use 16 or 32"),
    wrong("benchmark wrong_tuning.yaml --out new", "tuning.probe", "Did you mean 'paper'"),
    wrong("benchmark wrong_network.yaml --out new", "resnet10x", "Did you mean"),
    wrong("benchmark wrong_key.yaml --out new", "label_fraction", "Did you mean 'label_fractions'"),
    wrong("benchmark wrong_claim.yaml --out new", "claim", "Did you mean 'cass'"),
    wrong("benchmark wrong_data.yaml --out new", "scnas does not exist", "'scans'"),
    wrong("benchmark wrong_grid.yaml --out new", "grid 'main'", "Did you mean 'cass'"),
    wrong("benchmark bench.yaml --out scans", "scans is not the folder of a benchmark", "--out"),
    wrong("benchmark spee", "spee", "Did you mean 'speed'"),
    wrong("benchmark speed --cnn resnet50x", "--cnn", "Did you mean 'resnet50"),
    wrong("benchmark speed --image-size 50", "--image-size 50", "Use 42 or 56"),
    wrong("benchmark speed --json taken.csv", "taken.csv exists", "--json"),
    wrong("benchmark speed --compile auto", "--compile", "off"),
    wrong("benchmark speed --device gpu", "--device gpu", "Use --device cpu"),
]
