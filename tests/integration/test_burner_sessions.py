"""Sessions on emulated media: left open, appended, read across, put on the shelf where other programs find them."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.errors import MediumDiffers, SessionNotClosed, WrongDisc
from jobs.mastering.medium import BLOCK, MediumInfo, MediumKind, MediumStatus
from jobs.mastering.recorder import Bin
from tests.burning import evidence_of, tray, writes_of
from tests.burns import Content, Ear, a_content, a_drive, allow, beside, content_of, sha256_of
from workers.evidence import ProgressWriter, read_plan
from workers.recorders import open_device
from workers.sink import Cancel, open_sink


@pytest.fixture
def content(tmp_path: Path) -> Content:
    return a_content(tmp_path / "content", 1000)


@pytest.mark.parametrize(("kind", "second"), [("cd-r", 12_400), ("dvd-r", 17_392), ("bd-r", 1_024)])
def test_a_session_is_appended_where_the_medium_says(tmp_path: Path, content: Content, kind: str, second: int) -> None:
    device = a_drive(tmp_path / "drive", kind=MediumKind(kind))
    device.recorder.record(replace(content.order("one"), leave_open=True), Ear(), allow)
    medium = tray(device)
    assert (medium.status, medium.next_writable, medium.last_session) == (MediumStatus.APPENDABLE, second, 0)
    assert medium.next_writable + medium.free_blocks == medium.capacity

    device.recorder.record(replace(content.order("two"), start=second), Ear(), allow)

    assert (tray(device).status, tray(device).sessions, tray(device).tracks) == (MediumStatus.COMPLETE, 2, 2)
    assert tray(device).last_session == second
    whole = b"".join(device.recorder.read_back(content.image.size))
    assert whole[:3] == b"CD1"
    assert device.recorder.read_blocks(second, 5000) == whole == device.recorder.read_blocks(0, 1000)
    with pytest.raises(MediumDiffers):
        device.recorder.read_blocks(second - 1, 2)
    path = device.loader.unload(Bin.ACCEPT, "two")
    assert path is not None
    assert path.stat().st_size == (second + 1000) * BLOCK
    assert path.stat().st_blocks * 512 < 2 * content.image.size + 65_536
    log = [line for line in writes_of(path.with_name("two.writes.jsonl")) if line["event"] == "opened"]
    assert [(line["first"], line["last"]) for line in log] == [(0, 999), (second, second + 999)]


def test_reading_ends_where_a_session_does(tmp_path: Path, content: Content) -> None:
    device = a_drive(tmp_path / "drive", kind=MediumKind.CD_R)
    device.recorder.record(replace(content.order("one"), leave_open=True), Ear(), allow)
    device.recorder.record(replace(content.order("two"), start=12_400), Ear(), allow)

    assert len(device.recorder.read_blocks(990, 12_000)) == 10 * BLOCK
    for gap in (1000, 12_399, 13_400):
        with pytest.raises(MediumDiffers, match=f"block {gap}"):
            device.recorder.read_blocks(gap, 1)
    beside(device).add_fault("read-error@12402")
    assert len(device.recorder.read_blocks(12_400, 2)) == 2 * BLOCK
    with pytest.raises(MediumDiffers, match="block 12402"):
        device.recorder.read_blocks(12_400, 3)


def test_sessions_without_a_gap_are_read_in_one(tmp_path: Path) -> None:
    content = a_content(tmp_path / "content", 1024)
    device = a_drive(tmp_path / "drive", kind=MediumKind.BD_R)
    device.recorder.record(replace(content.order("one"), leave_open=True), Ear(), allow)
    device.recorder.record(replace(content.order("two"), start=1024), Ear(), allow)

    assert device.recorder.read_blocks(1022, 5) == device.recorder.read_blocks(1022, 2) + device.recorder.read_blocks(
        1024, 3
    )


@pytest.mark.parametrize(("start", "status"), [(0, MediumStatus.APPENDABLE), (12_400, MediumStatus.BLANK)])
def test_another_disc_than_the_one_it_was_laid_out_for_is_refused(
    tmp_path: Path, content: Content, start: int, status: MediumStatus
) -> None:
    device = open_device(f"emulated:{tmp_path / 'drive'}")
    beside(device).insert("cd-r", status)
    before = tray(device)
    permitted: list[MediumInfo] = []

    with pytest.raises(WrongDisc) as refusal:
        device.recorder.record(replace(content.order(), start=start), Ear(), permitted.append)

    assert refusal.value.code == "IMAPI_E_WRONGDISC"
    assert (permitted, tray(device), evidence_of(content).started) == ([], before, False)


def test_the_burner_looks_at_the_medium_once_more(tmp_path: Path, content: Content) -> None:
    """Between permit and burner the medium might change; here a plan is made for another one."""
    device = a_drive(tmp_path / "drive", kind=MediumKind.CD_R)
    order = content.order(simulate=True)
    device.recorder.record(order, Ear(), allow)
    plan = replace(read_plan(order.evidence / "plan.json"), start=12_400)
    sink = open_sink(plan, Cancel(), ProgressWriter(tmp_path))

    with pytest.raises(WrongDisc):
        sink.check()

    assert not tray(device).used


def test_a_session_that_could_not_be_closed_spoils_the_disc(tmp_path: Path, content: Content) -> None:
    device = a_drive(tmp_path / "drive", kind=MediumKind.CD_R)
    device.recorder.record(replace(content.order("one"), leave_open=True), Ear(), allow)
    beside(device).add_fault("close-error")

    with pytest.raises(SessionNotClosed):
        device.recorder.record(replace(content.order("two"), start=12_400), Ear(), allow)

    assert (tray(device).status, tray(device).sessions) == (MediumStatus.COMPLETE, 1)
    with pytest.raises(MediumDiffers):
        device.recorder.read_back(BLOCK)


def test_an_overwritable_medium_left_open_begins_at_its_start(tmp_path: Path, content: Content) -> None:
    device = a_drive(tmp_path / "drive", kind=MediumKind.DVD_PLUS_RW)
    for name in ("one", "two"):
        device.recorder.record(replace(content.order(name), leave_open=True), Ear(), allow)

    assert (tray(device).status, tray(device).sessions, tray(device).next_writable) == (
        MediumStatus.OVERWRITABLE,
        1,
        0,
    )
    path = device.loader.unload(Bin.ACCEPT, "one")
    assert path is not None
    assert sha256_of(path) == content.sha256


def test_a_session_laid_out_by_another_program_is_found_on_the_shelf(tmp_path: Path) -> None:
    """xorriso reads the used disc, lays a second session out behind it, and reads both back from the shelf."""
    device = open_device(f"emulated:{tmp_path / 'drive'}")
    beside(device).insert("cd-r", MediumStatus.APPENDABLE)
    start = tray(device).next_writable
    first = tmp_path / "first.iso"
    first.write_bytes(device.recorder.read_blocks(0, 100_000))
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "second.txt").write_text("second")
    session = session_of(tmp_path / "session.iso", tmp_path / "new", first, start)
    order = replace(session.order(), start=start)

    device.recorder.record(order, Ear(), allow)
    path = device.loader.unload(Bin.ACCEPT, "both")

    assert path is not None
    assert listed(path, start) == {"/", "/READ ME.txt", "/old", "/old/data.bin", "/second.txt"}
    assert listed(path, 0) == {"/", "/READ ME.txt", "/old", "/old/data.bin"}


def session_of(image: Path, tree: Path, before: Path, start: int) -> Content:
    """Have another program lay a tree out as the session that follows one before; its addresses are the disc's."""
    command = ["xorrisofs", "-quiet", "-r", "-J", "-C", f"0,{start}", "-M", str(before), "-o", str(image), str(tree)]
    subprocess.run(command, check=True, capture_output=True)
    return content_of(image)


def listed(disc: Path, start: int) -> set[str]:
    """List what xorriso finds in the session at a block."""
    command = ["xorriso", "-abort_on", "FAILURE", "-load", "lba", str(start), "-indev", f"stdio:{disc}", "-find", "/"]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    return {line.strip("'") for line in found.stdout.splitlines()}
