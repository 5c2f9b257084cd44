"""What reading a public data set gives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cass.data.manifest.manifest import Manifest
from cass.errors import DataError


@dataclass(frozen=True, eq=False)
class Prepared:
    """A data set, beside what it should hold.

    Attributes:
        manifest: Its images, labels, groups and splits.
        expected: (split, class) -> images that the whole set has; the split is "" where it has none. Empty where
            nothing is known of it.
        notes: What the user should know, a sentence each.
    """

    manifest: Manifest
    expected: Mapping[tuple[str, str], int]
    notes: tuple[str, ...] = ()

    @property
    def found(self) -> dict[tuple[str, str], int]:
        """(split, class) -> images, in the order of ``expected``; an image of several classes counts for each."""
        with_split = any(split for split, _ in self.expected)
        counts = dict.fromkeys(self.expected, 0)
        for row in range(len(self.manifest)):
            split = str(self.manifest.splits[row]) if with_split and self.manifest.splits is not None else ""
            for name, flag in zip(self.manifest.classes, self.manifest.targets[row], strict=True):
                if flag:
                    counts[split, name] = counts.get((split, name), 0) + 1
        return counts


def find_file(folder: Path, name: str, fix: str) -> Path:
    """Find a file by its name, in a folder or below it.

    Args:
        folder: Where to look.
        name: Its name.
        fix: What the user can do where it is not there.

    Raises:
        DataError: It is nowhere.
    """
    found = min(folder.rglob(name), default=None, key=lambda path: (len(path.parts), path))
    if found is None:
        raise DataError(f"There is no {name} in {folder}", fix)
    return found


def check_folder(folder: Path) -> None:
    """Make sure that a folder is there.

    Raises:
        DataError: It is not.
    """
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "does not exist"
        raise DataError(f"{folder} {what}", "Give the folder that the set was unpacked to.")


def natural(name: str) -> list[tuple[int, str]]:
    """Sort key by which a2 comes before a10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]
