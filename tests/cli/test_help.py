from __future__ import annotations

import subprocess
import sys

import pytest

COMMANDS = ("pretrain", "finetune", "evaluate", "embed", "predict", "compare")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-c", "from cass.cli import main; main()", *arguments]
    return subprocess.run(line, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_an_example(name: str) -> None:
    done = run(name, "--help")
    assert done.returncode == 0
    assert f"Example: cass {name}" in " ".join(done.stdout.split())
    assert "--config" in done.stdout
    if name != "embed":
        assert "[default:" in done.stdout


def test_help_lists_the_commands_and_loads_nothing_heavy() -> None:
    done = run("--help")
    assert all(name in done.stdout for name in COMMANDS)
    code = (
        "import sys; sys.argv=['cass','--help']\n"
        "from cass.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'timm', 'lightning', 'pandas', 'sklearn', 'matplotlib', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_importing_cass_loads_no_torch() -> None:
    code = "import sys, cass; assert 'torch' not in sys.modules; assert callable(cass.list_methods)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_word_of_the_paper_is_an_option() -> None:
    text = run("pretrain", "--help").stdout
    for option in ("--cnn-weights", "--transformer-weights", "--image-size", "--seed", "--resume", "--batch-size"):
        assert option in text


def test_benchmark_takes_a_file_or_the_word_speed() -> None:
    listed = run("benchmark", "--help").stdout
    assert "SPEC.yaml" in listed
    assert "speed" in listed
    taken = run("benchmark", "my.yaml", "--help").stdout
    assert "--slurm-args" in taken
    assert "Example: cass benchmark benchmarks/tiny.yaml" in " ".join(taken.split())
    assert "--rounds" in run("benchmark", "speed", "--help").stdout
    wrong = run("benchmark", "sped")
    assert wrong.returncode == 2
    assert "Did you mean 'speed'?" in wrong.stderr
    options_first = run("benchmark", "--plan", "gone.yaml")
    assert options_first.returncode == 2
    assert "gone.yaml" in options_first.stderr
