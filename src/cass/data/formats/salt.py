"""The secret of this machine that codes of patients are made with."""

from __future__ import annotations

from pathlib import Path

from cass.files import write_text


def salt_of(folder: Path) -> str:
    """Read the secret that patient codes are made with, or make it.

    Args:
        folder: The user's cache folder; the secret is a file in it that only the user can read.

    Returns:
        32 hexadecimal digits.
    """
    import secrets

    path = folder / "salt"
    if not path.is_file():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_text(path, secrets.token_hex(16), private=True, keep=True)  # the first of several writers wins
    return path.read_text(encoding="ascii").strip()
