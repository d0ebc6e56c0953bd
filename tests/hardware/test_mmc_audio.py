"""Real burn programs write audio to the MMC model: samples, starts, ISRC, MCN and CD-TEXT land where they belong."""

from dataclasses import dataclass

import pytest

from jobs.mastering.cd_text import read_packs
from jobs.mastering.medium import MediumKind, MediumStatus
from jobs.mastering.programme import DiscText
from tests.burn_programs import CDRDAO, CDRSKIN, ISRC, LEAD_OUT, MCN, STARTS, WODIM, an_album, tray
from tests.scenarios import Done, Scenarios
from tests.scsi_rig import NODE, Ran, ScsiRig
from workers.recorders.scsi_toc import TocTrack

SCENARIOS = Scenarios()


@dataclass(frozen=True, slots=True)
class AudioDisc:
    """What a burn left, as our own SG_IO layer reads it."""

    ran: Ran
    status: MediumStatus
    tracks: tuple[TocTrack, ...]
    lead_out: int
    samples_are_there: bool
    mcn: str
    isrcs: list[str]
    packs: bytes


def look_at(rig: ScsiRig, ran: Ran, data: bytes) -> AudioDisc:
    assert ran.code == 0, ran.words
    scsi, toc = rig.scsi, rig.scsi.toc()
    return AudioDisc(
        ran=ran,
        status=tray(rig).status,
        tracks=toc.tracks,
        lead_out=toc.lead_out,
        samples_are_there=rig.read_audio(len(data)) == data,
        mcn=scsi.mcn(),
        isrcs=[scsi.isrc(track.number) for track in toc.tracks],
        packs=scsi.cd_text(),
    )


PROGRAMS = {
    "cdrskin": (*CDRSKIN, "-sao", "-text", "cuefile=disc.cue"),
    "cdrdao": ("cdrdao", "write", *CDRDAO, "-n", "--swap", "disc.toc"),
}


@SCENARIOS.over(PROGRAMS)
def burnt_by(rig: ScsiRig, program: str) -> AudioDisc:
    rig.insert(MediumKind.CD_R)
    data = an_album(rig.folder)
    return look_at(rig, rig.run(*PROGRAMS[program]), data)


@pytest.mark.parametrize("program", PROGRAMS)
def test_samples_are_on_the_closed_disc_as_they_were(done: Done, program: str) -> None:
    disc = done(burnt_by, program)

    assert disc.status is MediumStatus.COMPLETE
    assert disc.samples_are_there


@pytest.mark.parametrize("program", PROGRAMS)
def test_tracks_start_where_the_sheet_says(done: Done, program: str) -> None:
    disc = done(burnt_by, program)

    assert tuple(track.start for track in disc.tracks) == STARTS
    assert disc.lead_out == LEAD_OUT
    assert [track.is_audio for track in disc.tracks] == [True] * 3
    assert [track.copy_permitted for track in disc.tracks] == [False, True, False]


@pytest.mark.parametrize("program", PROGRAMS)
def test_isrc_and_catalogue_number_can_be_asked_for(done: Done, program: str) -> None:
    disc = done(burnt_by, program)

    assert (disc.mcn, disc.isrcs) == (MCN, [ISRC, "", ""])


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_lead_in_holds_the_cd_text(done: Done, program: str) -> None:
    disc = done(burnt_by, program)

    text, tracks, *_ = read_packs(disc.packs)
    assert text == DiscText(title="Bench Album", performer="The Lab")
    assert [track.title for track in tracks] == ["First", "Zw\u00f6lf", "Third"]


@SCENARIOS.over(["cdrdao reads what cdrskin burnt"])
def read_by_cdrdao(rig: ScsiRig, _: str) -> tuple[Ran, str]:
    rig.insert(MediumKind.CD_R)
    an_album(rig.folder)
    burnt = rig.run(*PROGRAMS["cdrskin"])
    assert burnt.code == 0, burnt.words
    read = rig.run("cdrdao", "read-toc", *CDRDAO, "read.toc")
    return read, (rig.folder / "read.toc").read_text()


def test_cdrdao_finds_pregap_isrc_and_text_of_what_cdrskin_burnt(done: Done) -> None:
    read, toc = done(read_by_cdrdao, "cdrdao reads what cdrskin burnt")

    assert read.code == 0, read.words
    assert "Found pre-gap: 00:02:00" in read.words
    assert "CRC errors" not in read.words
    assert f'CATALOG "{MCN}"' in toc
    assert toc.count(f'ISRC "{ISRC}"') == 2  # told by the Q channel, and by CD-TEXT
    assert 'TITLE "Bench Album"' in toc


@SCENARIOS.over(["wodim"])
def by_wodim(rig: ScsiRig, _: str) -> AudioDisc:
    rig.insert(MediumKind.CD_R)
    data = an_album(rig.folder)
    ran = rig.run(*WODIM, "-dao", "-audio", "-swab", "disc.bin")
    return look_at(rig, ran, data)


def test_wodim_burns_one_gapless_track(done: Done) -> None:
    disc = done(by_wodim, "wodim")

    assert [track.start for track in disc.tracks] == [0]
    assert (disc.status, disc.lead_out, disc.samples_are_there) == (MediumStatus.COMPLETE, LEAD_OUT, True)


@SCENARIOS.over(["extracted"])
def extracted(rig: ScsiRig, _: str) -> tuple[list[bytes], bytes]:
    rig.insert(MediumKind.CD_R)
    data = an_album(rig.folder)
    assert rig.run(*PROGRAMS["cdrskin"]).code == 0
    options = ("extract_audio_to=.", "extract_basename=t", "extract_tracks=1,2,3")
    ran = rig.run("cdrskin", f"dev={NODE}", *options)
    assert ran.code == 0, ran.words
    return [path.read_bytes()[44:] for path in sorted(rig.folder.glob("t*.wav"))], data


def test_cdrskin_extracts_the_samples_that_it_burnt(done: Done) -> None:
    tracks, data = done(extracted, "extracted")

    assert len(tracks) == 3
    assert b"".join(tracks) == data


@SCENARIOS.over([(), ("-force",)])
def nearly_full(rig: ScsiRig, options: tuple[str, ...]) -> Ran:
    """Burn audio that fits, but whose bytes are more than the medium has of data."""
    rig.insert(MediumKind.CD_R, LEAD_OUT + 100)
    an_album(rig.folder)
    return rig.run(*CDRSKIN, "-sao", *options, "cuefile=disc.cue")


def test_cdrskin_counts_audio_as_data_and_needs_to_be_forced(done: Done) -> None:
    """The fault of version 1.5.4 that `-force` is for: should it be mended, this test says so."""
    refused, forced = done(nearly_full, ()), done(nearly_full, ("-force",))

    assert refused.code == 10
    assert "predicted session size 1794s does not fit on media (1662s)" in refused.err
    assert forced.code == 0, forced.words


@SCENARIOS.over(["simulated"])
def simulated(rig: ScsiRig, _: str) -> tuple[Ran, MediumStatus]:
    rig.insert(MediumKind.CD_R)
    an_album(rig.folder)
    ran = rig.run(*CDRSKIN, "-dummy", "-sao", "-text", "cuefile=disc.cue")
    return ran, tray(rig).status


def test_a_simulated_audio_disc_stays_blank(done: Done) -> None:
    ran, status = done(simulated, "simulated")

    assert ran.code == 0, ran.words
    assert status is MediumStatus.BLANK
