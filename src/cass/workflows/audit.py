"""``cass audit``: what is wrong with a data set, before anything is trained on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cass.auditing.facts import facts_of_set
from cass.auditing.report import Audit, audit_set
from cass.auditing.safe_splits import split_command
from cass.config.audit import AuditConfig
from cass.config.base import build_config
from cass.data.manifest.manifest import Manifest, load_manifest
from cass.data.splits.resolve import resolve_splits
from cass.errors import OutputError
from cass.files import write_json, write_text


@dataclass(frozen=True)
class AuditResult:
    """An audit.

    Attributes:
        audit: What was found.
        manifest: The data set.
    """

    audit: Audit
    manifest: Manifest


def audit(data: str | Path, **settings: Any) -> AuditResult:
    """Check a data set: files, copies, leakage, shortcuts and labels. Nothing is changed.

    Args:
        data: CSV manifest, folder, or ``generated``.
        settings: Fields of :class:`cass.config.audit.AuditConfig` by name.

    Returns:
        What was found; ``audit.serious`` says whether figures on this set would be wrong.

    Raises:
        CassError: For a data set that cannot be read at all, in one line.
    """
    return run_audit(build_config(AuditConfig, settings | {"data": str(data)}))


def run_audit(config: AuditConfig) -> AuditResult:
    """Do what :func:`audit` says, with a configuration that is already checked."""
    for path in (config.json_file, config.html):
        if path is not None and not path.parent.is_dir():
            raise OutputError(
                f"The folder {path.parent} of {path.name} does not exist", "Make it, or name another."
            )
    manifest = load_manifest(config.data, label_columns=config.label_columns)
    facts = facts_of_set(manifest)
    digests = [digest or f"unreadable {row}" for row, digest in enumerate(facts.digests)]
    resolved = resolve_splits(manifest, digests=digests, seed=config.seed, known=None)
    more = []
    if config.run is not None:
        from cass.auditing.embeddings import run_findings

        more = run_findings(config, manifest, facts.readable, resolved.splits)
    found = audit_set(
        manifest,
        facts,
        resolved.splits,
        splits_source=resolved.source,
        split_command=split_command(config.data, label_columns=config.label_columns),
        more=more,
        seed=config.seed,
    )
    if config.json_file is not None:
        write_json(config.json_file, {"data": config.data, **found.to_dict()})
    if config.html is not None:
        from cass.auditing.page import audit_page

        write_text(config.html, audit_page(found, manifest, name=config.data))
    return AuditResult(found, manifest)
