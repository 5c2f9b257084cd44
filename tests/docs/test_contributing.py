"""The verb that CONTRIBUTING.md adds works as it is printed there, with no other file touched."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUN = """
import sys
import cass.config, cass.workflows

cass.config.__path__.append(sys.argv[1] + "/config")
cass.workflows.__path__.append(sys.argv[1] + "/workflows")
sys.argv = ["cass", *sys.argv[2:]]
from cass.cli import main
main()
"""


def test_the_verb_of_the_guide_works(tmp_path: Path, scans: Path) -> None:
    text = (
        (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Add a verb")[2].partition("\n## ")[0]
    )
    settings, work, _ = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    for folder, code in (("config", settings), ("workflows", work)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "count.py").write_text(code)

    def cass(*words: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-c", RUN, str(tmp_path), *words]
        return subprocess.run(line, capture_output=True, text=True, check=False)

    assert "Count the images of each class." in cass("--help").stdout
    counted = cass("count", str(scans), "--at-least", "1")
    assert counted.returncode == 0, counted.stderr
    assert re.fullmatch(r"(\w+: \d+\n){2,}", counted.stdout)
    assert cass("count", str(scans), "--at-least", "1000").stdout == ""
    refused = cass("count", str(scans), "--at-lest", "1")
    assert "Did you mean '--at-least'?" in refused.stderr
