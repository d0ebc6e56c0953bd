"""Hostile content, ordered as people do: a clear refusal and nothing stored, or a correct master; no traceback."""

import json
import os
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from jobs.mastering.image import ImageReader
from jobs.mastering.masters import StoredMaster
from jobs.schema import upgrade
from models.database import Database
from models.job import Job
from models.manifest import Manifest
from tests.audio_files import noise, write
from tests.command_line import CommandLine, url_of
from tests.mastering import files_of


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[CommandLine]:
    upgrade(url_of(tmp_path))
    database = Database(url_of(tmp_path))
    try:
        yield CommandLine(tmp_path, database)
    finally:
        database.close()


def assert_refused(shell: CommandLine, *words: object) -> str:
    """Order what can't be made; return what is said of it."""
    result = shell.run("submit", *words)

    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.stderr
    with shell.database.read() as db:
        assert [db.scalar(select(func.count()).select_from(table)) for table in (Job, Manifest)] == [0, 0]
    return result.stderr


def accepted(shell: CommandLine, *words: object) -> dict[str, Any]:
    """Order what can be made; return the job's document."""
    result = shell.run("submit", *words, "--json")

    assert result.exit_code == 0, result.stderr
    document = shell.read("show", json.loads(result.stdout)["job"])
    assert isinstance(document, dict)
    return document


def image_of(shell: CommandLine) -> bytes:
    """Return the bytes of the one master there is."""
    (folder,) = (each for each in (shell.home / "store" / "masters").iterdir() if each.is_dir())
    image = StoredMaster(folder).load_image()
    with ImageReader(image) as reader:
        return reader.read(0, image.size)


def a_wav(data: bytes, *, riff: int | None = None, declared: int | None = None, rate: int = 44_100) -> bytes:
    """Make a WAV file whose header may lie about its lengths and its rate."""
    form = struct.pack("<HHIIHH", 1, 2, rate, (rate * 4) & 0xFFFFFFFF, 4, 16)
    body = b"fmt " + struct.pack("<I", len(form)) + form
    body += b"data" + struct.pack("<I", len(data) if declared is None else declared) + data
    return b"RIFF" + struct.pack("<I", 4 + len(body) if riff is None else riff) + b"WAVE" + body


SECONDS = bytes(44_100 * 4 * 5)
LIES: dict[str, bytes] = {
    "empty": b"",
    "only a header": a_wav(b""),
    "cut in the header": a_wav(SECONDS)[:20],
    "cut in the data": a_wav(SECONDS)[:-400_000],
    "more declared than there is": a_wav(SECONDS, declared=0x7FFFFFFF),
    "a rate of one": a_wav(SECONDS, rate=1),
    "a rate of four billion": a_wav(SECONDS, rate=0xFFFFFFFF),
    "no rate": a_wav(SECONDS, rate=0),
    "text": b"this is no music\n" * 1000,
    "two seconds": a_wav(SECONDS[: 44_100 * 8]),
}


@pytest.mark.parametrize("content", LIES.values(), ids=LIES.keys())
def test_a_lying_wav_is_refused_by_name(shell: CommandLine, content: bytes) -> None:
    (shell.home / "song.wav").write_bytes(content)

    said = assert_refused(shell, "audio", shell.home / "song.wav")

    assert "song.wav" in said


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_flac_is_refused_by_name(shell: CommandLine, damage: str) -> None:
    path = write(shell.home / "song.flac", noise(44_100 * 5))
    content = bytearray(path.read_bytes())
    if damage == "cut":
        del content[len(content) // 2 :]
    else:
        content[len(content) // 2] ^= 0x55
    path.write_bytes(content)

    assert "song.flac" in assert_refused(shell, "audio", path)


CUES = {
    "absurd times": 'FILE "song.wav" WAVE\n TRACK 01 AUDIO\n  INDEX 01 99:99:99\n',
    "times beyond the file": 'FILE "song.wav" WAVE\n TRACK 01 AUDIO\n  INDEX 01 80:00:00\n',
    "negative times": 'FILE "song.wav" WAVE\n TRACK 01 AUDIO\n  INDEX 01 -1:00:00\n',
    "times of a thousand digits": f'FILE "song.wav" WAVE\n TRACK 01 AUDIO\n  INDEX 01 {"9" * 1000}:00:00\n',
    "a hundred tracks": 'FILE "song.wav" WAVE\n'
    + "".join(f" TRACK {number:02} AUDIO\n  INDEX 01 00:{number % 60:02}:00\n" for number in range(1, 101)),
    "a file elsewhere": 'FILE "/etc/passwd" WAVE\n TRACK 01 AUDIO\n  INDEX 01 00:00:00\n',
    "a file above": 'FILE "../../../../etc/passwd" BINARY\n TRACK 01 AUDIO\n  INDEX 01 00:00:00\n',
    "nothing": "",
    "noise": "\x00\x01\x02 FILE TRACK INDEX \x7f" * 50,
}


@pytest.mark.parametrize("sheet", CUES.values(), ids=CUES.keys())
def test_an_absurd_cue_sheet_is_refused(shell: CommandLine, sheet: str) -> None:
    (shell.home / "song.wav").write_bytes(a_wav(SECONDS))
    (shell.home / "album.cue").write_text(sheet)

    said = assert_refused(shell, "audio", "--cue", shell.home / "album.cue")

    assert any(word in said for word in ("album.cue", "line ", "song.wav", "passwd"))


def deep(folder: Path) -> None:
    inner = folder.joinpath(*(f"level {number}" for number in range(30)))
    inner.mkdir(parents=True)
    (inner / "bottom").write_bytes(b"deep")


def awkward(folder: Path) -> None:
    for name in (
        "\x01control\x1f",
        "tab\there",
        "new\nline",
        "Ünïcödé",
        "CON",
        "a" * 255,
        "trailing. ",
        "-rf",
        "日本語" * 20,
    ):
        (folder / name).write_bytes(name.encode())


def alike(folder: Path) -> None:
    for name in ("readme", "README", "ReadMe", "readme.", "Straße", "STRASSE", "STRAßE"):
        (folder / name).write_bytes(name.encode())


@pytest.mark.parametrize("make", [deep, awkward, alike], ids=lambda make: make.__name__)
def test_an_awkward_tree_is_on_the_disc_whole(shell: CommandLine, make: Callable[[Path], None]) -> None:
    folder = shell.home / "tree"
    folder.mkdir()
    make(folder)
    wanted = sorted(path.read_bytes() for path in folder.rglob("*") if path.is_file())

    document = accepted(shell, "data", folder)

    assert document["manifest"]["bytes"] == sum(map(len, wanted))
    for tree in ("rr_path", "joliet_path"):
        assert sorted(files_of(image_of(shell), tree).values()) == wanted


def test_fifty_thousand_files_in_one_folder_are_on_the_disc_whole(shell: CommandLine, tmp_path: Path) -> None:
    folder = shell.home / "crowd"
    folder.mkdir()
    for number in range(50_000):
        (folder / f"file number {number:06}.dat").touch()
    (folder / "file number 025000.dat").write_bytes(b"the one with something in it")

    document = accepted(shell, "data", folder)

    assert document["manifest"]["entries"] == 50_000
    (tmp_path / "disc.iso").write_bytes(image_of(shell))
    listed = subprocess.run(["bsdtar", "-tf", tmp_path / "disc.iso"], capture_output=True, check=True).stdout
    assert listed.count(b".dat\n") == 50_000


def test_names_no_disc_can_hold_are_refused_by_name(shell: CommandLine) -> None:
    folder = shell.home / "tree"
    folder.mkdir()
    (folder / os.fsdecode(b"not utf-8 \xff")).write_bytes(b"1")
    (folder / "fine").write_bytes(b"1")
    assert "UTF-8" in assert_refused(shell, "data", folder)
    manifest = {
        "version": 1,
        "entries": [{"path": name, "source": str(folder / "fine")} for name in ("x" * 300, "a\ud800b")],
    }
    (shell.home / "disc.json").write_text(json.dumps(manifest))

    said = assert_refused(shell, "manifest", shell.home / "disc.json")

    assert "xxx" in said
    assert "entries[1]" in said


def test_two_entries_for_one_place_are_refused(shell: CommandLine) -> None:
    for name in ("one", "two"):
        (shell.home / name).mkdir()
        (shell.home / name / "same").write_text(name)

    assert "same" in assert_refused(shell, "data", shell.home / "one", shell.home / "two")


def test_the_sheets_of_an_audio_job_are_printed_on_request(shell: CommandLine, tmp_path: Path) -> None:
    document = accepted(shell, "audio", write(shell.home / "01 Noise.wav", noise(44_100 * 5)), "--title", "Album")
    for kind in ("cue", "toc"):
        result = shell.run("sheet", document["job"], "--kind", kind, "--file", "album.bin")
        assert result.exit_code == 0, result.stderr
        (tmp_path / f"album.{kind}").write_bytes(result.stdout_bytes)
    (tmp_path / "album.bin").write_bytes(image_of(shell))

    for kind in ("cue", "toc"):
        command = ["cdrdao", "show-toc", f"album.{kind}"]
        shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        assert "00:05:00(   375)" in shown
    assert shell.run("sheet", document["job"], "--file", "../x").exit_code == 1
    (shell.home / "data").write_text("data")
    refused = shell.run("sheet", accepted(shell, "data", shell.home / "data")["job"])
    assert (refused.exit_code, "data" in refused.stderr) == (1, True)
