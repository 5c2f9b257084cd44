"""Lines that several commands print."""

from __future__ import annotations


def skipped(reasons: dict[str, str]) -> str:
    """Say how many files were left out, and name the first of them.

    Args:
        reasons: Name -> why it was left out.
    """
    if not reasons:
        return ""
    named = ", ".join(list(reasons)[:20])
    more = f" and {len(reasons) - 20} more" if len(reasons) > 20 else ""
    return f"; {len(reasons)} that cannot be read left out: {named}{more}"
