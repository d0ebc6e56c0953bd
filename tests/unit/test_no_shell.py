"""Read the sources as Python does: which programs are started, and how; and what must not be there at all."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path for folder in ("jobs", "workers", "models", "migrations") for path in (ROOT / folder).rglob("*.py")
)
STARTERS = {"Popen", "run", "call", "check_call", "check_output"}
#: What takes a shell, an inherited environment, or a stranger's data for a program.
FORBIDDEN = {
    *(
        "os.system",
        "os.popen",
        "os.execv",
        "os.execvp",
        "os.execl",
        "os.spawnv",
        "os.posix_spawn",
        "subprocess.getoutput",
    ),
    *("eval", "exec", "pickle.loads", "pickle.load", "marshal.loads", "shelve.open", "yaml.load", "dill.loads"),
}


def calls(source: str) -> Iterator[ast.Call]:
    return (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))


def starts(source: str) -> list[ast.Call]:
    """List the calls that start a program."""
    return [
        call
        for call in calls(source)
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in STARTERS
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "subprocess"
    ]


def faults(source: str) -> list[str]:
    """Name what is wrong with how a source starts programs."""
    found = [f"{ast.unparse(call.func)} is forbidden" for call in calls(source) if ast.unparse(call.func) in FORBIDDEN]
    for call in starts(source):
        given = {word.arg: word.value for word in call.keywords}
        if "shell" in given:
            found.append(f"line {call.lineno}: a shell")
        if "env" not in given or ast.unparse(given["env"]) in {"None", "os.environ"}:
            found.append(f"line {call.lineno}: no environment of its own")
        if isinstance(call.args[0], ast.Constant | ast.JoinedStr):
            found.append(f"line {call.lineno}: a command line in one text")
    imported = [
        name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom) for name in [node.module]
    ]
    return found + ["subprocess's names are to be used with its own" for module in imported if module == "subprocess"]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_programs_are_started_without_a_shell_and_with_an_environment_of_their_own(path: Path) -> None:
    assert faults(path.read_text(encoding="utf-8")) == []


def test_programs_are_started_at_all() -> None:
    assert sum(len(starts(path.read_text(encoding="utf-8"))) for path in SOURCES) >= 4


@pytest.mark.parametrize(
    "source",
    [
        "subprocess.run('rm -rf ' + name, shell=True, env={})",
        "subprocess.Popen(command)",
        "subprocess.Popen(command, env=None)",
        "subprocess.run(f'eject {drive}', env={})",
        "os.system('eject')",
        "pickle.loads(message)",
        "from subprocess import run",
    ],
)
def test_a_fault_would_be_found(source: str) -> None:
    assert faults(source)
