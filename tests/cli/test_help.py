from __future__ import annotations

import subprocess
import sys

import pytest

import cass
from cass.cli.options import option_names
from cass.config.verbs import Verb, all_verbs

VERBS = list(all_verbs().values())


def run(*arguments: str, **settings: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "cass", *arguments]
    return subprocess.run(line, capture_output=True, text=True, check=False, **settings)  # type: ignore[call-overload]


def words_of(verb: Verb) -> list[str]:
    return ["benchmark", "my.yaml"] if verb.name == "benchmark" else verb.name.split()


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_command_explains_itself_with_an_example(verb: Verb) -> None:
    done = run(*words_of(verb), "-h")
    assert done.returncode == 0
    text = " ".join(done.stdout.split())
    assert f"Example: {verb.example}" in text
    for name, field in verb.config.model_fields.items():
        if name not in verb.arguments:
            assert option_names(name, field)[0].partition("/")[0] in text
    assert all(option in text for option in ("--config", "--quiet", "--verbose"))


def test_help_lists_the_commands_in_order_and_loads_nothing_heavy() -> None:
    listed = run("--help").stdout.partition("Commands:")[2].split("\n  ")
    first = [line.split()[0] for line in listed if line.strip() and line[0] != " "]
    assert first == list(dict.fromkeys(verb.name.split()[0] for verb in VERBS))
    code = (
        "import sys; sys.argv=['cass','--help']\n"
        "from cass.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'timm', 'lightning', 'pandas', 'sklearn', 'matplotlib', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_a_default_of_zero_and_bounds_are_shown() -> None:
    text = " ".join(run("split", "-h").stdout.split())
    assert (
        "--seed N Seed; the same seed gives the same splits. (at least 0, below 2,147,483,648) [default: 0]"
        in text
    )
    assert "(at least 2) [default: 16]" in " ".join(run("pretrain", "-h").stdout.split())


def test_the_version_is_printed() -> None:
    assert run("--version").stdout.strip() == f"cass {cass.__version__}"


def test_benchmark_takes_a_file_or_the_word_speed() -> None:
    listed = run("benchmark", "--help").stdout
    assert "SPEC.yaml" in listed
    assert "speed" in listed
    assert "--slurm-args" in run("benchmark", "my.yaml", "--help").stdout
    assert "--rounds" in run("benchmark", "speed", "--help").stdout
    wrong = run("benchmark", "sped")
    assert wrong.returncode == 2
    assert "Did you mean 'speed'?" in wrong.stderr
    options_first = run("benchmark", "--plan", "gone.yaml")
    assert options_first.returncode == 2
    assert "gone.yaml" in options_first.stderr


def test_completion_offers_commands_options_and_words() -> None:
    def complete(line: str) -> set[str]:
        from os import environ

        asked = {
            "_CASS_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(line.split(" ")) - 1),
        }
        return set(run(env=environ | asked).stdout.split())

    assert {"pretrain", "prepare", "predict"} <= complete("cass pre")
    assert complete("cass pretrain --batch-s") == {"--batch-size"}
    assert complete("cass pretrain --device c") == {"cpu"}
