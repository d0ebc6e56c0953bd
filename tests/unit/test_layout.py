"""Who may know what, where import-linter can't tell, and that the names the design promises exist."""

import ast
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("jobs", "workers", "models", "migrations")
ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
PYCDLIB = "jobs/mastering/inspection_pycdlib.py"


def sources(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def names_of_os(tree: ast.Module) -> set[str]:
    """Collect what a module takes from `os`, as an attribute or by import."""
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and _is_os(node.value)}
    imports = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "os")
    return used | {alias.name for node in imports for alias in node.names}


def _is_os(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "os"


def imported(tree: ast.Module) -> set[str]:
    """Collect the top-level names of the modules that a module imports."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def test_settings_alone_read_the_environment() -> None:
    readers = [path for path, tree in sources(*PACKAGES) if names_of_os(tree) & ENVIRONMENT]

    assert set(readers) <= {"jobs/settings.py"}


def test_one_judge_of_images_alone_knows_pycdlib() -> None:
    users = [path for path, tree in sources(*PACKAGES) if "pycdlib" in imported(tree)]

    assert users == [PYCDLIB]


def test_every_module_says_what_it_is_for() -> None:
    mute = [path for path, tree in sources(*PACKAGES) if ast.get_docstring(tree) is None]

    assert mute == []


@pytest.mark.parametrize("package", [*PACKAGES, "jobs/mastering", "workers/recorders", "workers/loaders", "tests"])
def test_the_folders_are_packages(package: str) -> None:
    assert (ROOT / package / "__init__.py").is_file()


@pytest.mark.parametrize(
    "name",
    [
        ".ci/run",
        "CHANGELOG.md",
        "Dockerfile",
        "Makefile",
        "README.md",
        "docker-compose.yml",
        "docs/decisions",
        "pyproject.toml",
        "tests/integration",
        "tests/unit",
    ],
)
def test_the_top_level_is_the_designs(name: str) -> None:
    assert (ROOT / name).exists()


def test_ci_can_be_run() -> None:
    assert os.access(ROOT / ".ci/run", os.X_OK)


def test_the_wheel_holds_the_four_packages() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]

    assert build["targets"]["wheel"]["packages"] == list(PACKAGES)


def test_the_pins_hold_no_address() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()

    assert [line for line in lines if "://" in line or line.startswith("-")] == []
    assert [line for line in lines if "==" in line and not line.endswith("\\")] == []  # a pin without a hash
