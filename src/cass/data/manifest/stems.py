"""Image names without suffix, as many tables list them."""

from __future__ import annotations

import os

from cass.data.manifest.kinds import FileKind
from cass.errors import DataError
from cass.listing import some_of


class StemFinder:
    """Finds the file that a name without suffix stands for.

    Args:
        root: Folder that the names are relative to.
        kind: Which files count.
    """

    def __init__(self, root: str, kind: FileKind) -> None:
        self._root = root
        self._kind = kind
        self._folders: dict[str, dict[str, list[str]]] = {}

    def complete(self, name: str) -> str:
        """Add the suffix to a name that lacks it.

        Args:
            name: A path with forward slashes.

        Returns:
            The path of the one file of that name with a suffix; ``name`` itself where it has a suffix of its own,
            is a file, or where there is no such file.

        Raises:
            DataError: Several files have that name.
        """
        folder, _, stem = name.rpartition("/")
        if name.lower().endswith(self._kind.suffixes) or os.path.isfile(os.path.join(self._root, name)):
            return name
        if folder not in self._folders:
            self._folders[folder] = self._stems_of(os.path.join(self._root, folder))
        files = self._folders[folder].get(stem, [])
        if len(files) > 1:
            raise DataError(
                f"{name!r} stands for {len(files)} files in {os.path.join(self._root, folder)}: {some_of(files)}",
                "Write the name with its suffix.",
            )
        return f"{folder}/{files[0]}" if files and folder else (files[0] if files else name)

    def _stems_of(self, folder: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for file in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            suffix = next((end for end in self._kind.suffixes if file.lower().endswith(end)), "")
            if suffix and not file.startswith("."):
                found.setdefault(file[: -len(suffix)], []).append(file)
        return found
