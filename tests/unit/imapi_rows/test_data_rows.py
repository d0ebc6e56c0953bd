"""Rows 25 to 36, 52, 53, 64, 68 and 71: staging a data disc."""

import io
import os
from dataclasses import replace
from pathlib import Path

import pytest
from pycdlib import PyCdlib

from jobs.errors import (
    AlreadyStaged,
    BadName,
    BadProperty,
    BootNeedsBlankDisc,
    DiscError,
    DiscFull,
    InvalidImage,
    MediumNotWritable,
    MediumTooSmall,
    NotFound,
    StashCompressed,
    StashEncrypted,
    StashError,
    StashFull,
    StashRemovable,
    WrongDisc,
)
from jobs.mastering.boot import Emulation, Platform
from jobs.mastering.joliet_master import JolietDiscMaster
from jobs.mastering.master import DiscMaster, RecordOptions
from jobs.mastering.medium import BLOCK, MediumKind, MediumStatus
from jobs.mastering.stash import Stash, Volume, look_at
from models.vocabulary import DiscFormat
from tests.mastering import a_device, data_session, files_of, insert, on_disc, smaller, tray

OPEN = RecordOptions(leave_open=True)


def test_row_25_the_volume_is_named_after_the_day_or_as_asked(tmp_path: Path) -> None:
    device = a_device(tmp_path)
    with data_session(device) as (master, content):
        today = str(content.properties()["VolumeName"])
        assert len(today) == len("2026_01_31")
        assert today.replace("_", "").isdigit()
        content.set_properties({"VolumeName": "PHOTOS"})
        content.add_data({"a": b"1"})

        master.record()

    iso = PyCdlib()
    iso.open_fp(io.BytesIO(on_disc(device)))
    assert iso.pvd.volume_identifier.decode("ascii").rstrip() == "PHOTOS"
    assert iso.joliet_vd is not None
    assert iso.joliet_vd.volume_identifier.decode("utf-16-be").rstrip("\0 ") == "PHOTOS"
    iso.close()


def test_row_26_a_boot_image_is_in_the_catalogue_with_its_exact_size(tmp_path: Path) -> None:
    device, boot = a_device(tmp_path), os.urandom(3000)
    with data_session(device) as (master, content):
        content.add_data({"a": b"1"})
        plain = content.used_blocks
        content.set_properties(
            {
                "PlaceBootImageOnDisc": True,
                "BootImage": boot,
                "BootImageManufacturerIDString": "US",
                "BootImagePlatform": 0,
                "BootImageEmulationType": 0,
            }
        )
        assert content.used_blocks - plain <= 2 + 2  # the image, the catalogue, a descriptor; not four times the image
        master.record()

    iso = PyCdlib()
    iso.open_fp(io.BytesIO(on_disc(device)))
    catalogue = iso.eltorito_boot_catalog
    assert catalogue is not None
    assert catalogue.validation_entry.id_string.rstrip(b"\0") == b"US"
    entry = catalogue.initial_entry
    start = entry.get_rba() * BLOCK
    assert on_disc(device)[start : start + len(boot)] == boot
    assert (entry.boot_media_type, entry.boot_indicator) == (0, 0x88)
    iso.close()


def test_row_26_the_second_version_adds_one_for_each_platform(tmp_path: Path) -> None:
    with data_session(a_device(tmp_path)) as (_, content):
        content.add_data({"a": bytes(400 * BLOCK)})  # more than the 300 blocks that any CD has
        content.add_boot_image(b"B" * 2048, Platform.X86)
        one = content.used_blocks
        content.add_boot_image(b"E" * 4096, Platform.EFI)

        assert content.used_blocks == one + 2
        with pytest.raises(BadProperty):
            content.add_boot_image(b"F" * 100, Platform.X86, Emulation.FLOPPY_1440)
        with pytest.raises(BadProperty):
            content.add_boot_image(b"F" * 2048, Platform.X86, manufacturer="x" * 25)
        assert content.used_blocks == one + 2


def test_row_27_a_boot_image_needs_a_blank_disc(tmp_path: Path) -> None:
    device = a_device(tmp_path)
    with data_session(device) as (master, content):
        content.add_data({"a": b"1"})
        master.record(OPEN)
        master.set_recorder(master.recorders()[0])
        content.add_data({"b": b"2"})
        before = on_disc(device)
        with pytest.raises(BootNeedsBlankDisc) as refusal:
            boot_and_record(master, content)

        assert (refusal.value.value, on_disc(device)) == (0x8004022E, before)


def boot_and_record(master: DiscMaster, content: JolietDiscMaster) -> None:
    content.add_boot_image(b"B" * 2048, Platform.X86)
    master.record()


def test_row_28_a_block_has_2048_bytes_of_data_or_2352_of_audio(tmp_path: Path) -> None:
    with data_session(a_device(tmp_path)) as (master, content):
        assert content.block_size == 2048
        assert master.set_format(DiscFormat.REDBOOK).block_size == 2352


def test_row_29_used_blocks_grow_by_whole_blocks(tmp_path: Path) -> None:
    with data_session(a_device(tmp_path)) as (_, content):
        assert (content.used_blocks, content.total_blocks) == (0, MediumKind.CD_R.capacity)
        content.add_data({"a": bytes(400 * BLOCK)})
        before = content.used_blocks
        assert content.available_blocks == content.total_blocks - before

        content.add_data({"b": bytes(3 * BLOCK + 1)})

        assert content.used_blocks == before + 4  # its record found room in the root folder's block


def test_row_30_trees_merge_and_root_items_land_in_the_root(tmp_path: Path) -> None:
    device = a_device(tmp_path / "r1")
    (tmp_path / "one/shared").mkdir(parents=True)
    (tmp_path / "one/shared/x").write_bytes(b"x")
    (tmp_path / "one/top").write_bytes(b"top")
    with data_session(device) as (master, content):
        content.add_data(tmp_path / "one")
        content.add_data({"shared": {"y": b"y"}, "single": tmp_path / "one/top"})
        content.add_data(tmp_path / "one/top", overwrite=True)
        master.record()

    assert files_of(on_disc(device)) == {"shared/x": b"x", "shared/y": b"y", "top": b"top", "single": b"top"}


def test_row_31_without_overwrite_a_taken_place_is_refused_and_nothing_changes(tmp_path: Path) -> None:
    device = a_device(tmp_path)
    with data_session(device) as (master, content):
        content.add_data({"a": b"old", "folder": {"inner": b"1"}})
        used = content.used_blocks

        with pytest.raises(AlreadyStaged) as refusal:
            content.add_data({"b": b"new", "a": b"new"})
        with pytest.raises(AlreadyStaged):
            content.add_data({"folder": b"a file"}, overwrite=True)

        assert refusal.value.code == "IMAPI_E_FILEEXISTS"
        assert content.used_blocks == used
        master.record()
    assert files_of(on_disc(device)) == {"a": b"old", "folder/inner": b"1"}


def test_row_32_overwriting_shows_the_newest_and_keeps_the_bytes_of_both(tmp_path: Path) -> None:
    device, old, new = a_device(tmp_path), os.urandom(310 * BLOCK), os.urandom(5 * BLOCK)
    with data_session(device) as (master, content):
        content.add_data({"a": old})
        before = content.used_blocks

        content.add_data({"a": new}, overwrite=True)

        assert content.used_blocks == before + 5
        master.record()
    assert files_of(on_disc(device)) == {"a": new}
    assert old in on_disc(device)


def test_row_33_what_does_not_fit_is_not_added_at_all(tmp_path: Path) -> None:
    device = smaller(a_device(tmp_path), 1000)
    with data_session(device) as (_, content):
        content.add_data({"a": b"1"})
        used, entries = content.used_blocks, dict(content.change_point().entries)

        with pytest.raises(DiscFull):
            content.add_data({"small": b"1", "large": bytes(1000 * BLOCK)})

        assert (content.used_blocks, dict(content.change_point().entries)) == (used, entries)
        content.add_data({"large": bytes(600 * BLOCK)})
        with pytest.raises(DiscFull):
            content.add_data({"larger": bytes((content.available_blocks + 1) * BLOCK)})


def test_row_33_a_recorder_refuses_more_than_the_medium_has_room_for(tmp_path: Path) -> None:
    device = a_device(tmp_path / "r1")
    (tmp_path / "large").touch()
    os.truncate(tmp_path / "large", (MediumKind.CD_R.capacity + 1) * BLOCK)
    with data_session(smaller(device, 1 << 20)) as (master, content):  # in truth it has less than it says
        content.add_data(tmp_path / "large")

        with pytest.raises(MediumTooSmall) as refusal:
            master.record()

    assert (refusal.value.code, tray(device).used) == ("IMAPI_E_DISCFULL", False)


def test_row_34_a_name_no_disc_can_hold_is_named(tmp_path: Path) -> None:
    with data_session(a_device(tmp_path)) as (_, content):
        for name in ("x" * 300, "..", "a/b", ""):
            with pytest.raises(DiscError) as refusal:
                content.add_data({"fine": b"1", name: b"2"})
            assert isinstance(refusal.value, BadName), refusal.value
            assert name in str(refusal.value) or name[:50] in str(refusal.value)
        assert content.used_blocks == 0


def test_row_35_nothing_is_removed_singly() -> None:
    words = [name for name in dir(JolietDiscMaster) if not name.startswith("_")]

    assert not [name for name in words if "remove" in name or "delete" in name or "unlink" in name]


def test_row_36_clearing_empties_the_stash_and_leaves_the_disc_s_sessions(tmp_path: Path) -> None:
    device = a_device(tmp_path)
    with data_session(device) as (master, content):
        content.add_data({"a": b"1"})
        master.record(OPEN)
        master.set_recorder(master.recorders()[0])
        assert content.previous is not None
        content.add_data({"b": b"2"})

        master.clear_content()

        assert content.used_blocks == 0
        with pytest.raises(DiscFull):  # a disc that is begun has no room for an image that begins one
            content.add_data({"b": b"2"})
        insert(device, MediumKind.CD_R)
        master.set_recorder(master.recorders()[0])
        content.add_data({"b": b"2"})
        insert(device, MediumKind.CD_R, MediumStatus.COMPLETE)
        before = on_disc(device)
        with pytest.raises(MediumNotWritable):
            master.record()
        assert on_disc(device) == before


@pytest.mark.parametrize("kind", [MediumKind.CD_R, MediumKind.CD_RW])
def test_row_52_a_second_session_shows_the_first_ones_files(tmp_path: Path, kind: MediumKind) -> None:
    device = a_device(tmp_path, kind)
    with data_session(device) as (master, content):
        content.add_data({"old": b"first", "both": b"first", "folder": {"x": b"1"}})
        used = content.used_blocks
        master.record(OPEN)
        assert tray(device).free_blocks == kind.capacity - used - 11_400  # lead-out and lead-in (Orange Book)
        master.set_recorder(master.recorders()[0])
        assert content.total_blocks == tray(device).free_blocks
        content.add_data({"new": b"second", "both": b"second", "folder": {"y": b"2"}}, overwrite=True)
        start = tray(device).next_writable

        master.record(OPEN)

        assert tray(device).free_blocks < kind.capacity - start
        assert tray(device).last_session == start
        previous = DiscMaster([device.recorder]).open()
        again = previous.set_format(DiscFormat.JOLIET)
        previous.set_recorder(previous.recorders()[0])
        assert again.previous is not None
        found = {entry.path for entry in again.previous.entries if not entry.folder}
        previous.close()
    assert found == {"old", "both", "new", "folder/x", "folder/y"}


def test_row_53_another_disc_than_the_one_begun_is_refused(tmp_path: Path) -> None:
    device = a_device(tmp_path)
    with data_session(device) as (master, content):
        content.add_data({"a": b"1"})
        master.record(OPEN)
        master.set_recorder(master.recorders()[0])
        content.add_data({"b": b"2"})
        insert(device, MediumKind.CD_R, MediumStatus.APPENDABLE)
        before = on_disc(device)

        with pytest.raises(WrongDisc):
            master.record()

        assert on_disc(device) == before


PLAIN = Volume(compressed=False, encrypted=False, removable=False, free=1 << 40)


def test_row_64_a_stash_that_can_not_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(StashError) as refusal:
        Stash(tmp_path / "file")

    assert (type(refusal.value), refusal.value.code) == (StashError, "IMAPI_E_FILEACCESS")


@pytest.mark.parametrize(
    ("volume", "error"),
    [
        (replace(PLAIN, compressed=True), StashCompressed),
        (replace(PLAIN, encrypted=True), StashEncrypted),
        (replace(PLAIN, removable=True), StashRemovable),
    ],
)
def test_row_64_a_stash_in_a_bad_place_is_refused(tmp_path: Path, volume: Volume, error: type[DiscError]) -> None:
    with pytest.raises(error):
        Stash(tmp_path, lambda _: volume)

    assert not [entry for entry in tmp_path.iterdir() if entry.name != "lock"]


def test_row_64_a_stash_without_room_is_refused(tmp_path: Path) -> None:
    stash = Stash(tmp_path, lambda _: replace(PLAIN, free=100))

    with pytest.raises(StashFull):
        stash.reserve(101)

    stash.reserve(100)
    stash.close()
    seen = look_at(tmp_path)
    assert seen.free > 0


def test_row_68_one_image_reads_the_same_through_iso_joliet_and_udf(tmp_path: Path) -> None:
    device = a_device(tmp_path, MediumKind.BD_R)
    tree = {"a.txt": b"1", "folder": {"b.txt": b"22" * 5000, "empty": b""}}
    with data_session(device) as (master, content):
        content.add_data(tree)
        master.record()

    image = on_disc(device)
    trees = [files_of(image, name) for name in ("rr_path", "joliet_path", "udf_path")]
    assert trees[0] == trees[1] == trees[2] == {"a.txt": b"1", "folder/b.txt": b"22" * 5000, "folder/empty": b""}


def test_row_71_going_back_leaves_the_image_as_it_was(tmp_path: Path) -> None:
    with data_session(a_device(tmp_path)) as (_, content):
        content.add_data({"a": b"1"})
        point, image = content.change_point(), content.seal().sha256
        content.add_data({"b": b"2", "a": b"3"}, overwrite=True)
        assert content.seal().sha256 != image

        content.roll_back(point)

        assert content.seal().sha256 == image
        content.add_data({"c": b"3"})
        content.lock_in()
        with pytest.raises(NotFound):
            content.roll_back(point)


def test_a_ready_made_image_is_checked_and_burnt_bit_for_bit(tmp_path: Path) -> None:
    source, device = a_device(tmp_path / "r1"), a_device(tmp_path / "r2")
    with data_session(source) as (master, content):
        content.add_data({"a": b"1"})
        master.record()
    (tmp_path / "disc.iso").write_bytes(on_disc(source))
    (tmp_path / "none.iso").write_bytes(b"no image" * 2048)
    with DiscMaster([device.recorder]).open() as master:
        image = master.set_format(DiscFormat.IMAGE)
        master.set_recorder(master.recorders()[0])
        with pytest.raises(InvalidImage):
            image.set_image(tmp_path / "none.iso")
        image.set_image(tmp_path / "disc.iso")
        assert image.used_blocks == len(on_disc(source)) // BLOCK
        with pytest.raises(InvalidImage):
            image.set_image(tmp_path / "disc.iso")
        master.record()

    assert on_disc(device) == on_disc(source)
