from __future__ import annotations

import sys
from pathlib import Path

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


def test_the_page_lists_what_is_installed() -> None:
    page = licences.PAGE.read_text(encoding="utf-8")
    required = {name for name in licences.table() if not name.startswith(ON_GPUS)}
    missing = {name for name in required if f"| {name} |" not in page}
    assert not missing, "python docs/licences.py writes the page"
