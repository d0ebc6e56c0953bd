"""Real burn programs write data to every kind of medium of the MMC model; we read it back over our own SG_IO layer."""

import pytest

from jobs.mastering.medium import MediumKind, MediumStatus
from tests.burn_programs import BLOCKS, CDRDAO, CDRSKIN, WODIM, Burnt, an_image, cdrskin, look, tray, xorriso
from tests.scenarios import Done, Scenarios
from tests.scsi_rig import NODE, Ran, ScsiRig

SEQUENTIAL = [kind for kind in MediumKind if kind.is_sequential]
OVERWRITABLE = [kind for kind in MediumKind if not kind.is_sequential]
ONE_OF_EACH = [MediumKind.CD_R, MediumKind.DVD_R, MediumKind.DVD_PLUS_R, MediumKind.BD_R]
SCENARIOS = Scenarios()


@pytest.mark.parametrize("kind", SEQUENTIAL)
def test_a_blank_is_told_as_such(rig: ScsiRig, kind: MediumKind) -> None:
    rig.insert(kind)

    told = tray(rig)

    assert (told.kind, told.status, told.used) == (kind, MediumStatus.BLANK, False)
    assert (told.capacity, told.free_blocks, told.next_writable) == (kind.capacity, kind.capacity, 0)
    assert (told.sessions, told.tracks) == (0, 0)


@SCENARIOS.over(SEQUENTIAL)
def by_xorriso(rig: ScsiRig, kind: MediumKind) -> Burnt:
    rig.insert(kind)
    image = an_image(rig.folder)
    return look(rig, xorriso(rig), image)


@pytest.mark.parametrize("kind", SEQUENTIAL)
def test_what_xorriso_burns_is_on_the_closed_disc(done: Done, kind: MediumKind) -> None:
    burnt = done(by_xorriso, kind)

    assert burnt.ran.code == 0, burnt.ran.words
    assert "Media status : is blank" in burnt.ran.out
    assert f"Writing to '{NODE}' completed successfully." in burnt.ran.out
    assert "Media status : is written , is closed" in burnt.ran.out
    assert (burnt.medium.status, burnt.medium.used) == (MediumStatus.COMPLETE, True)
    assert (burnt.medium.sessions, burnt.medium.tracks, burnt.medium.free_blocks) == (1, 1, 0)
    assert burnt.is_there


@SCENARIOS.over(OVERWRITABLE)
def twice_by_xorriso(rig: ScsiRig, kind: MediumKind) -> tuple[Burnt, Burnt]:
    rig.insert(kind)
    one = an_image(rig.folder, b"before")
    before = look(rig, xorriso(rig), one)
    other = an_image(rig.folder, b"after")
    return before, look(rig, xorriso(rig, "blank=as_needed"), other)


@pytest.mark.parametrize("kind", OVERWRITABLE)
def test_what_xorriso_writes_over_is_what_counts(done: Done, kind: MediumKind) -> None:
    before, after = done(twice_by_xorriso, kind)

    assert (before.ran.code, after.ran.code) == (0, 0), before.ran.words + after.ran.words
    assert (after.medium.status, after.medium.used) == (MediumStatus.OVERWRITABLE, True)
    assert after.medium.free_blocks == kind.capacity
    assert (before.is_there, after.is_there) == (True, True)


@SCENARIOS.over(ONE_OF_EACH)
def by_cdrskin(rig: ScsiRig, kind: MediumKind) -> Burnt:
    rig.insert(kind)
    image = an_image(rig.folder)
    return look(rig, cdrskin(rig), image)


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_what_cdrskin_burns_is_on_the_closed_disc(done: Done, kind: MediumKind) -> None:
    burnt = done(by_cdrskin, kind)

    assert burnt.ran.code == 0, burnt.ran.words
    assert "cdrskin: burning done" in burnt.ran.out
    assert burnt.medium.status is MediumStatus.COMPLETE
    assert burnt.is_there


@SCENARIOS.over([MediumKind.CD_R, MediumKind.DVD_R])
def by_wodim(rig: ScsiRig, kind: MediumKind) -> Burnt:
    rig.insert(kind)
    image = an_image(rig.folder)
    return look(rig, rig.run(*WODIM, "-sao", "image.iso"), image)


@pytest.mark.parametrize("kind", [MediumKind.CD_R, MediumKind.DVD_R])
def test_what_wodim_burns_is_on_the_disc(done: Done, kind: MediumKind) -> None:
    """A program that shares no code with libburn."""
    burnt = done(by_wodim, kind)

    assert burnt.ran.code == 0, burnt.ran.words
    assert burnt.medium.status is MediumStatus.COMPLETE
    assert burnt.is_there


@SCENARIOS.over([MediumKind.CD_R])
def by_cdrdao(rig: ScsiRig, kind: MediumKind) -> tuple[Burnt, Ran, bool]:
    rig.insert(kind)
    image = an_image(rig.folder)
    (rig.folder / "disc.toc").write_text('CD_ROM\nTRACK MODE1\nDATAFILE "image.iso"\n')
    burnt = look(rig, rig.run("cdrdao", "write", *CDRDAO, "-n", "disc.toc"), image)
    back = rig.run("cdrdao", "read-cd", *CDRDAO, "--datafile", "back.bin", "back.toc")
    return burnt, back, (rig.folder / "back.bin").read_bytes() == image


def test_what_cdrdao_burns_is_on_the_disc_and_cdrdao_reads_it_back(done: Done) -> None:
    """Another one."""
    burnt, back, is_back = done(by_cdrdao, MediumKind.CD_R)

    assert (burnt.ran.code, back.code) == (0, 0), burnt.ran.words + back.words
    assert "Writing finished successfully." in burnt.ran.words
    assert (burnt.is_there, is_back) == (True, True)


@SCENARIOS.over([MediumKind.CD_R])
def track_at_once(rig: ScsiRig, kind: MediumKind) -> tuple[Burnt, int, Ran]:
    rig.insert(kind)
    image = an_image(rig.folder)
    burnt = look(rig, rig.run(*CDRSKIN, "padsize=0", "-tao", "image.iso"), image)
    checked = rig.run("xorriso", "-outdev", NODE, "-check_media", "use=outdev", "--")
    return burnt, rig.scsi.toc().lead_out, checked


def test_a_track_at_once_ends_in_blocks_that_nobody_can_read(done: Done) -> None:
    """The trap of recorders that count the run-out: what is asked for is read, and not a block more."""
    burnt, lead_out, checked = done(track_at_once, MediumKind.CD_R)

    assert burnt.ran.code == 0, burnt.ran.words
    assert lead_out == BLOCKS + 2
    assert burnt.is_there
    assert f"Media region :          0 ,       {BLOCKS} , + good" in checked.out
    assert f"Media region :       {BLOCKS} ,          2 , - unreadable" in checked.out


@SCENARIOS.over([MediumKind.CD_R, MediumKind.DVD_R])
def simulated(rig: ScsiRig, kind: MediumKind) -> Burnt:
    rig.insert(kind)
    an_image(rig.folder)
    return Burnt(xorriso(rig, "-dummy"), tray(rig), is_there=False)


@pytest.mark.parametrize("kind", [MediumKind.CD_R, MediumKind.DVD_R])
def test_a_simulated_burn_leaves_the_disc_blank(done: Done, kind: MediumKind) -> None:
    burnt = done(simulated, kind)

    assert burnt.ran.code == 0, burnt.ran.words
    assert burnt.medium.status is MediumStatus.BLANK


BLANKINGS = [(MediumKind.CD_RW, "blank=fast"), (MediumKind.DVD_RW, "blank=deformat_sequential")]


@SCENARIOS.over(BLANKINGS)
def burnt_and_blanked(rig: ScsiRig, case: tuple[MediumKind, str]) -> tuple[Burnt, Burnt]:
    kind, option = case
    rig.insert(kind)
    image = an_image(rig.folder)
    burnt = look(rig, cdrskin(rig), image)
    return burnt, Burnt(rig.run(*CDRSKIN, option), tray(rig), is_there=False)


@pytest.mark.parametrize("case", BLANKINGS)
def test_a_burnt_rewritable_is_blank_again_after_blanking(done: Done, case: tuple[MediumKind, str]) -> None:
    burnt, blanked = done(burnt_and_blanked, case)

    assert (burnt.ran.code, blanked.ran.code) == (0, 0), burnt.ran.words + blanked.ran.words
    assert burnt.is_there
    assert (blanked.medium.status, blanked.medium.used) == (MediumStatus.BLANK, False)
    assert blanked.medium.free_blocks == case[0].capacity


@SCENARIOS.over([MediumKind.CD_R])
def two_sessions(rig: ScsiRig, kind: MediumKind) -> tuple[Burnt, Ran, Burnt]:
    rig.insert(kind)
    one = an_image(rig.folder, b"first")
    first = look(rig, rig.run(*CDRSKIN, "padsize=0", "-multi", "-tao", "image.iso"), one)
    told = rig.run("cdrskin", f"dev={NODE}", "-msinfo")
    other = an_image(rig.folder, b"second")
    return first, told, look(rig, rig.run(*CDRSKIN, "padsize=0", "-tao", "image.iso"), other)


def test_a_second_session_stands_beside_the_first(done: Done) -> None:
    first, told, second = done(two_sessions, MediumKind.CD_R)

    assert (first.ran.code, second.ran.code) == (0, 0), first.ran.words + second.ran.words
    assert (first.medium.status, first.medium.sessions, first.medium.tracks) == (MediumStatus.APPENDABLE, 1, 1)
    assert told.out.strip() == f"0,{first.medium.next_writable}"
    assert (second.medium.status, second.medium.sessions, second.medium.tracks) == (MediumStatus.COMPLETE, 2, 2)
    assert second.medium.last_session == first.medium.next_writable
    assert (first.is_there, second.is_there) == (True, True)


@SCENARIOS.over([MediumKind.DVD_PLUS_R, MediumKind.BD_R])
def grown(rig: ScsiRig, kind: MediumKind) -> tuple[list[Ran], Ran, MediumStatus]:
    rig.insert(kind)
    for name in ("one", "two"):
        (rig.folder / name).write_text(name)
    burns = [rig.run("xorriso", "-dev", NODE, "-map", name, f"/{name}", "-commit") for name in ("one", "two")]
    return burns, rig.run("xorriso", "-indev", NODE, "-find", "/", "-type", "f"), tray(rig).status


@pytest.mark.parametrize("kind", [MediumKind.DVD_PLUS_R, MediumKind.BD_R])
def test_xorriso_reads_its_own_two_sessions_as_one_tree(done: Done, kind: MediumKind) -> None:
    burns, listed, left = done(grown, kind)

    assert [burn.code for burn in burns] == [0, 0], "".join(burn.words for burn in burns)
    assert sorted(listed.out.split()) == ["'/one'", "'/two'"]
    assert left is MediumStatus.APPENDABLE
