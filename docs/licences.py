"""Write docs/reference/licences.md: the licence of every package that cass installs, from the packages' metadata.

Usage: python docs/licences.py     (in an environment made by `make setup`)
"""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

PAGE = Path(__file__).parent / "reference" / "licences.md"
EXTRAS = ("", "dicom", "tiff", "nifti", "onnx", "slurm")
UNSAID = {  # packages whose metadata say nothing, or less than their files
    "antlr4-python3-runtime": "BSD-3-Clause",
    "cuda-toolkit": "NVIDIA (metapackage)",
}
MARK = "<!-- generated: table -->"


def licence(found: Distribution) -> str:
    """Return the licence that a package states: an SPDX expression, or its classifiers."""
    metadata = found.metadata
    stated = metadata.get("License-Expression")
    if not stated:
        classified = [
            text.split(" :: ")[-1] for text in metadata.get_all("Classifier") or [] if "License ::" in text
        ]
        stated = "; ".join(classified) or (metadata.get("License") or "").split("\n")[0]
    return UNSAID.get(key(found.name), stated)


def key(name: str) -> str:
    """Return a package's name as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(name: str, extras: tuple[str, ...], seen: dict[str, str]) -> None:
    """Collect the licences of a package and of all that it requires on this platform."""
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return
    if key(name) in seen:
        return
    seen[key(name)] = licence(found)
    for text in found.requires or []:
        required = Requirement(text)
        if required.marker is None or any(required.marker.evaluate({"extra": extra}) for extra in extras):
            closure(required.name, ("", *required.extras), seen)


def table() -> dict[str, str]:
    """Return the licences of cass and everything that it installs, with all extras but those for developers."""
    seen: dict[str, str] = {}
    closure("cass-ssl", EXTRAS, seen)
    return dict(sorted(seen.items()))


def main() -> None:
    """Write the table into the page."""
    rows = "\n".join(f"| {name} | {stated} |" for name, stated in table().items())
    text = PAGE.read_text(encoding="utf-8").split(MARK)[0]
    PAGE.write_text(f"{text}{MARK}\n\n| Package | Licence |\n| --- | --- |\n{rows}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
