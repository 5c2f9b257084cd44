"""Named things that are found by being written: a table that suggests near names. Layer 0."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

from cass.errors import ConfigError, did_you_mean

EntryT = TypeVar("EntryT")


class Registry(Mapping[str, EntryT], Generic[EntryT]):
    """A table from names to things of one kind.

    Args:
        kind: What the table holds, for messages, such as ``"method"``.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, EntryT] = {}

    def register(self, name: str) -> Callable[[EntryT], EntryT]:
        """Enter the decorated object under ``name``.

        Args:
            name: The name; each may be taken once.

        Returns:
            A decorator that hands the object back unchanged.

        Raises:
            ValueError: Where the name is taken, which is a mistake in the code.
        """

        def enter(entry: EntryT) -> EntryT:
            if name in self._entries:
                raise ValueError(f"{self.kind} {name!r} is registered twice")
            self._entries[name] = entry
            return entry

        return enter

    def __getitem__(self, name: str) -> EntryT:
        """Look a name up.

        Raises:
            ConfigError: Where there is no such name; the message lists what there is.
        """
        if name not in self._entries:
            hint = did_you_mean(name, self._entries) or f"There are: {', '.join(sorted(self._entries))}."
            raise ConfigError(f"Unknown {self.kind} {name!r}", hint)
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
