"""Orders of every kind of content, as they are typed: what becomes of them in the database, and what is refused."""

import json
from pathlib import Path

import pytest
from sqlalchemy import func, select

from jobs.booting import boot_images
from jobs.catalogue import load_manifest
from jobs.mastering.boot import Emulation, Platform
from models.job import Job
from models.manifest import Manifest
from models.vocabulary import DiscFormat
from tests import builders
from tests.command_line import CommandLine
from tests.sounds import write_track


def a_manifest(shell: CommandLine, **document: object) -> Path:
    return shell.write("order.json", json.dumps({"version": 1, **document}))


def stored(shell: CommandLine) -> tuple[int | None, int | None]:
    """Count jobs and manifests."""
    with shell.database.read() as db:
        count = select(func.count())
        return db.scalar(count.select_from(Job)), db.scalar(count.select_from(Manifest))


def refused(shell: CommandLine, *words: object) -> str:
    """Type an order that must be refused, and leave nothing behind; return what is said."""
    result = shell.run("submit", *words)

    assert result.exit_code == 1, result.output
    assert stored(shell) == (0, 0)
    return " ".join(result.stderr.split())


# Audio


def test_an_audio_order_is_laid_out_in_audio_blocks(shell: CommandLine) -> None:
    write_track(shell.home / "1.flac", 5, 1, title="One")
    write_track(shell.home / "2.wav", 4.5, 2)

    job = shell.read("submit", "audio", shell.home / "1.flac", shell.home / "2.wav", "--title", "Both")["job"]

    row = builders.job_row(shell.database, job)
    assert (row.format, row.block_size, row.blocks) == (DiscFormat.REDBOOK, 2352, 5 * 75 + 338)
    assert (row.medium, row.volume_id, row.title) == ("cd", "", "Both")
    assert builders.copy_rows(shell.database, job)[0].media_class == "cd/333000/reject"


def test_notes_of_an_audio_order_are_told_beside_its_id_and_kept(shell: CommandLine) -> None:
    write_track(shell.home / "1.flac", 5, 1, title="Привет")

    result = shell.run("submit", "audio", shell.home / "1.flac", "--json")

    job = json.loads(result.stdout)["job"]
    (note,) = [event["data"]["note"] for event in shell.read("events", "--job", job) if event["kind"] == "noted"]
    assert "Privet" in note
    assert note in " ".join(result.stderr.split())


def test_all_faults_of_an_audio_order_are_told_at_once(shell: CommandLine) -> None:
    write_track(shell.home / "1.flac", 5, 1)

    said = refused(
        shell, "audio", shell.home / "1.flac", shell.home / "2.flac", "--medium", "dvd", "--nonblank", "append"
    )

    assert "2.flac does not exist" in said
    assert "a dvd is none; order --medium cd, cd-r or cd-rw" in said
    assert "audio is not appended" in said


def test_a_track_of_less_than_four_seconds_is_refused(shell: CommandLine) -> None:
    write_track(shell.home / "1.flac", 3.9, 1)

    assert "1.flac" in refused(shell, "audio", shell.home / "1.flac")


def test_audio_wants_files_or_a_sheet(shell: CommandLine) -> None:
    for words in ((), ("1.flac", "--cue", "a.cue")):
        assert shell.run("submit", "audio", *words).exit_code == 2


def test_an_audio_manifest_is_ordered_like_any_other(shell: CommandLine) -> None:
    write_track(shell.home / "side.wav", 5, 1)
    tracks = [{"source": "side.wav", "title": "Side", "isrc": "DEA010000001"}]
    file = a_manifest(shell, format="redbook", title="Listed", tracks=tracks)

    job = shell.read("submit", "manifest", file)["job"]

    row = builders.job_row(shell.database, job)
    assert (row.format, row.title) == (DiscFormat.REDBOOK, "Listed")
    assert "no volume id" in " ".join(shell.run("submit", "manifest", file, "--volume-id", "X").stderr.split())


def test_the_same_key_with_other_titles_of_tracks_is_another_order(shell: CommandLine) -> None:
    write_track(shell.home / "side.wav", 5, 1)
    titles = ("One", "One", "Two")
    files = [
        shell.write(
            f"{number}.json",
            json.dumps(
                {"version": 1, "format": "redbook", "title": "T", "tracks": [{"source": "side.wav", "title": title}]}
            ),
        )
        for number, title in enumerate(titles)
    ]

    first, again, other = (shell.run("submit", "manifest", file, "--key", "k", "--json") for file in files)

    assert json.loads(first.stdout) == json.loads(again.stdout)
    assert (other.exit_code, "another order" in " ".join(other.stderr.split())) == (1, True)


# Data


def test_two_entries_for_one_place_are_refused(shell: CommandLine) -> None:
    shell.write("a.txt", "one")
    shell.write("b.txt", "two")
    entries = [{"path": "same.txt", "source": "a.txt"}, {"path": "same.txt", "source": "b.txt"}]

    assert "has the place of entries[0]" in refused(shell, "manifest", a_manifest(shell, entries=entries))


def test_two_files_of_one_name_for_the_root_are_refused(shell: CommandLine) -> None:
    one, two = shell.write("one/same.txt", "one"), shell.write("two/same.txt", "two")

    assert "two things want the place same.txt" in refused(shell, "data", one.parent, two.parent)


def test_boot_images_are_kept_with_the_manifest_and_laid_out(shell: CommandLine) -> None:
    shell.write("bios.img", "x" * 2048)
    shell.write("efi.img", "y" * 4096)
    entries = [{"path": f"boot/{name}", "source": name} for name in ("bios.img", "efi.img")]
    boot = [{"path": "boot/bios.img", "manufacturer": "US"}, {"path": "boot/efi.img", "platform": "efi"}]
    plain = shell.read("submit", "manifest", a_manifest(shell, entries=entries))["job"]

    job = shell.read("submit", "manifest", a_manifest(shell, entries=entries, boot=boot))["job"]

    row, other = builders.job_row(shell.database, job), builders.job_row(shell.database, plain)
    with shell.database.read() as db:
        images = boot_images(load_manifest(db, row.manifest_id))
    assert [(image.content.path, image.platform, image.emulation, image.manufacturer) for image in images] == [
        ("boot/bios.img", Platform.X86, Emulation.NONE, "US"),
        ("boot/efi.img", Platform.EFI, Emulation.NONE, ""),
    ]
    assert row.manifest_id != other.manifest_id
    assert row.image_sha256 != other.image_sha256


@pytest.mark.parametrize(
    ("boot", "fault"),
    [
        ({"path": "boot/none.img"}, "boot[0]: boot/none.img is not a file of the disc"),
        ({"path": "boot"}, "boot[0]: boot is not a file of the disc"),
        ({"path": "boot/a.img", "platform": "arm"}, "unknown platform 'arm'; choose one of x86, efi, powerpc, mac"),
        ({"path": "boot/a.img", "emulation": "zip"}, "unknown emulation 'zip'"),
        ({"path": "boot/a.img", "emulation": "floppy-1.44"}, "a floppy disc has 1,474,560 bytes"),
        ({"path": "boot/a.img", "emulation": "hard-disk"}, "no master boot record"),
    ],
)
def test_what_can_not_be_booted_is_refused(shell: CommandLine, boot: dict[str, str], fault: str) -> None:
    shell.write("a.img", "x" * 2048)
    file = a_manifest(shell, entries=[{"path": "boot/a.img", "source": "a.img"}], boot=[boot])

    assert fault in refused(shell, "manifest", file)


def test_a_disc_to_boot_from_is_not_appended(shell: CommandLine) -> None:
    shell.write("a.img", "x" * 2048)
    file = a_manifest(shell, entries=[{"path": "a.img", "source": "a.img"}], boot=[{"path": "a.img"}])

    said = refused(shell, "manifest", file, "--nonblank", "append", "--copies", "0")

    assert "boot images need a disc of their own" in said
    assert "0 copies" in said


def test_a_ready_made_image_is_not_appended(shell: CommandLine) -> None:
    image = shell.write("a.iso", "no image")

    said = refused(shell, "image", image, "--nonblank", "append")

    assert "can't be appended" in said
    assert "a.iso" in said
