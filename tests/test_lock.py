"""The locked versions: complete, with hashes, and for every Python that cass supports."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements.lock").read_text()


def bare(requirement: str) -> str:
    """Return the normalised name of a requirement."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name is not None
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def test_what_make_setup_needs_is_locked() -> None:
    extras = PROJECT["optional-dependencies"]
    needed = [*PROJECT["dependencies"], *extras["dev"], *extras["docs"], *extras["build"]]
    locked = {bare(line) for line in LOCK.splitlines() if "==" in line}
    assert {bare(requirement) for requirement in needed} <= locked


def test_every_locked_version_has_hashes() -> None:
    entries = re.split(r"\n(?=\S)", LOCK.strip())
    entries = [entry for entry in entries if not entry.startswith("#")]
    assert len(entries) > 100
    assert not [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry]


def test_the_lock_is_made_for_the_lowest_python() -> None:
    """Debian 12 has Python 3.11.2: a lock made for 3.11.5 could not be installed there."""
    (lowest,) = re.findall(r">=(\S+)", PROJECT["requires-python"])
    assert re.findall(r"--python-version (\S+)", (ROOT / "Makefile").read_text()) == [lowest]
