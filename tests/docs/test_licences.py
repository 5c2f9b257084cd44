from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))

import licences

PERMISSIVE = (
    "MIT",
    "BSD",
    "Apache",
    "PSF",
    "Python Software Foundation",
    "ISC",
    "HPND",
    "MPL-2.0",
    "Zlib",
    "Unlicense",
)
ON_GPUS = ("nvidia-", "cuda-")
LOCK = Path(__file__).parents[2] / "requirements.lock"


def test_everything_that_is_installed_is_permissive() -> None:
    found = licences.table()
    assert len(found) > 60
    others = {
        name: stated
        for name, stated in found.items()
        if not name.startswith(ON_GPUS) and not any(word in stated for word in PERMISSIVE)
    }
    assert not others
    assert not [name for name, stated in found.items() if "GPL" in stated or "General Public" in stated]


def is_locked(line: str) -> bool:
    """Return whether a package of the lock is installed in its version, or not needed on this machine."""
    name, version = line.split(" ")[0].split("==")
    try:
        return metadata.version(name) == version
    except metadata.PackageNotFoundError:
        return True


@pytest.mark.skipif(
    not all(is_locked(line) for line in LOCK.read_text().splitlines() if "==" in line),
    reason="the page is of requirements.lock, and other versions are installed",
)
def test_the_page_lists_what_is_installed() -> None:
    page = licences.PAGE.read_text(encoding="utf-8")
    required = {name for name in licences.table() if not name.startswith(ON_GPUS)}
    missing = {name for name in required if f"| {name} |" not in page}
    assert not missing, "python docs/licences.py writes the page"
