"""``cass audit``: what is wrong with a data set, before anything is trained on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cass.auditing.checks import Audit, audit_set
from cass.auditing.duplicates import families
from cass.auditing.facts import facts_of_set
from cass.auditing.kept_pairs import kept_pairs
from cass.auditing.safe_splits import split_command
from cass.auditing.text import audit_tables, finding_lines
from cass.config.audit import AuditConfig
from cass.data.manifest.manifest import Manifest, load_manifest
from cass.data.splits.resolve import resolve_splits
from cass.files import write_json, write_text
from cass.reports.tables import Cells
from cass.resolve.trained import resolve_audit
from cass.types import BranchName

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class AuditResult:
    """An audit.

    Attributes:
        audit: What was found.
        manifest: The data set.
    """

    audit: Audit
    manifest: Manifest

    def frame(self) -> pd.DataFrame:
        """Return a row for each finding: ``level``, ``topic``, ``what``, ``fix``, and the names of its images."""
        import pandas as pd

        columns = ["level", "topic", "what", "fix", "images"]
        return pd.DataFrame(self.audit.to_dict()["findings"], columns=columns)

    @property
    def exit_code(self) -> int:
        """Exit code of the command: 1 where something is serious."""
        return int(self.audit.serious)


def run_audit(config: AuditConfig, resolved: dict[BranchName, Path] | None = None) -> AuditResult:
    """Check a data set: files, copies, leakage, shortcuts and labels. Nothing is changed.

    Args:
        config: Settings of ``cass audit``.
        resolved: What :func:`resolve_audit` returned; None calls it.

    Returns:
        What was found.

    Raises:
        CassError: The data set cannot be read at all, or an output folder does not exist.
    """
    if resolved is None:
        resolve_audit(config)
    manifest = load_manifest(config.data, config)
    facts = facts_of_set(manifest)
    digests = [digest or f"unreadable {row}" for row, digest in enumerate(facts.digests)]
    near = families(kept_pairs(manifest, facts.digests, facts), count=len(manifest))
    split = resolve_splits(manifest, digests=digests, seed=config.seed, known=None, families=lambda *_: near)
    more = []
    if config.run is not None:
        from cass.auditing.embeddings import run_findings

        more = run_findings(config, manifest, facts.readable, split.splits)
    found = audit_set(
        manifest,
        facts,
        split.splits,
        splits_source=split.source,
        split_command=split_command(config),
        more=more,
        seed=config.seed,
    )
    if config.json_file is not None:
        write_json(config.json_file, {"data": config.data, **found.to_dict()})
    if config.html is not None:
        from cass.auditing.page import audit_page

        write_text(config.html, audit_page(found, manifest, name=config.data))
    return AuditResult(found, manifest)


def show(result: AuditResult, config: AuditConfig) -> Iterator[str | Cells]:
    """Yield what the command prints."""
    yield from audit_tables(result.audit)
    yield from finding_lines(result.audit)
    yield from (f"Wrote {path}" for path in (config.json_file, config.html) if path is not None)
