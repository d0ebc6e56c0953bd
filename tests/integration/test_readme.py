"""What the README tells people to type is typed here."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rigs import wait_until
from tests.sounds import write_track

PROJECT = Path(__file__).parents[2]
README = (PROJECT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def block_with(language: str, words: str) -> str:
    (found,) = [block for block in blocks(language) if words in block]
    return found


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    home = tmp_path_factory.mktemp("readme")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DISCMILL_")}
    return {**inherited, "PATH": path, "DISCMILL_HOME": str(home), "DISCMILL_CONTENT_ROOTS": f"{PROJECT}:{home}"}


def type_in(command: str, environment: dict[str, str], folder: Path = PROJECT) -> str:
    done = subprocess.run(
        ["bash", "-c", command], env=environment, cwd=folder, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def rig(environment: dict[str, str]) -> Iterator[None]:
    """Start the rig as the README does: by a shell, in the background, where SIGINT is ignored."""
    (command,) = re.findall(r"^(discmill up) &", block_with("sh", "discmill up"), re.MULTILINE)
    log = Path(environment["DISCMILL_HOME"]) / "up.log"
    shell = f"{command} > {log} 2>&1 & echo $!"
    pid = int(type_in(shell, environment))
    wait_until(lambda: log.exists() and "discmill is up" in log.read_text(), "the rig is up")
    yield
    os.kill(pid, signal.SIGINT)
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), "the rig stopped")


@pytest.mark.usefixtures("rig")
def test_a_disc_in_five_commands(environment: dict[str, str]) -> None:
    lines = block_with("sh", "discmill up").splitlines()
    typed = [line.split("  #")[0] for line in lines if line.startswith("discmill ") and "up &" not in line]

    said = [type_in(line, environment) for line in typed]

    assert len(typed) == 3
    assert "good" in said[1]
    assert "manifest.md" in said[2]


@pytest.mark.usefixtures("rig")
def test_a_host_is_looked_at_before_its_first_disc(environment: dict[str, str]) -> None:
    lines = block_with("sh", "discmill doctor").splitlines()

    said = [type_in(line.split("  #")[0], environment) for line in lines]

    assert len(said) == 2
    assert "database durability" in said[0]


@pytest.mark.usefixtures("rig")
def test_the_audio_discs_are_made(environment: dict[str, str]) -> None:
    folder = Path(environment["DISCMILL_HOME"]) / "music"
    block = block_with("sh", "submit audio")
    files = re.findall(r"'(\d\d [^']+)'", block.splitlines()[0])
    for number, name in enumerate(files):
        write_track(folder / name, 5, seed=number, title=name)
    (folder / "album.cue").write_text(
        f'FILE "{files[1]}" WAVE\n  TRACK 01 AUDIO\n    TITLE "Alone"\n    INDEX 01 00:00:00\n'
    )

    said = [type_in(line, environment, folder) for line in block.splitlines()]

    assert len(files) == 2
    assert len(said) == 3
    assert files[1] in said[2]


@pytest.mark.usefixtures("rig")
def test_the_python_example_makes_twenty_discs(environment: dict[str, str]) -> None:
    folder = Path(environment["DISCMILL_HOME"]) / "example"
    (folder / "photos").mkdir(parents=True)
    (folder / "photos" / "first.jpg").write_bytes(os.urandom(4096))
    (folder / "example.py").write_text(block_with("python", "data_disc"))

    said = type_in("python example.py", environment, folder)

    assert "completed 100%" in said


def test_every_command_of_the_readme_exists(environment: dict[str, str]) -> None:
    named = set(re.findall(r"(?:^|`)discmill ((?:db |recorders )?[a-z]+)", README, re.MULTILINE))

    for words in sorted(named):
        assert "Usage" in type_in(f"discmill {words} --help", environment)
    assert {"up", "submit", "db upgrade", "recorders clear", "worker"} <= named


def test_every_make_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))

    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.MULTILINE)) <= targets


def test_every_file_the_readme_links_exists() -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (PROJECT / link).exists(), link
