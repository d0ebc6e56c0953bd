"""How the burn programs are called."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.mastering.cd_text import packs, read_packs
from jobs.mastering.medium import AUDIO_BLOCK, BLOCK, MediumInfo, MediumKind, MediumStatus
from jobs.mastering.programme import DiscText, Programme, Track
from workers.evidence import Plan
from workers.recorders.libburn_command import (
    CUE,
    TEXT,
    Target,
    audio_command,
    audio_sheets,
    blank_command,
    can_simulate,
    data_command,
)

PROGRAMME = Programme((Track(300, isrc="GBAYE0000351", text=DiscText(title="One")), Track(300)), mcn="0724354526824")
CD = MediumInfo(MediumKind.CD_R, MediumStatus.BLANK, 1000, 1000)


def a_plan(**over: object) -> Plan:
    facts: dict[str, object] = {
        "image": "image",
        "size": 100 * BLOCK,
        "block_size": BLOCK,
        "sha256": "",
        "label": "",
        "simulate": False,
        "lock": 3,
        "speed_1x": 153_600,
        "sink": {},
        **over,
    }
    return Plan(**facts)  # type: ignore[arg-type]


def an_audio_plan(programme: Programme = PROGRAMME) -> Plan:
    return a_plan(size=programme.blocks * AUDIO_BLOCK, block_size=AUDIO_BLOCK, programme=programme.canonical)


def data(medium: MediumInfo = CD, speed: float | None = None, **over: object) -> list[str]:
    return data_command(a_plan(**over), Target("/dev/sr0", medium, speed))


def test_data_comes_through_a_pipe_as_many_bytes_as_were_planned() -> None:
    command = data()

    assert command[:7] == ["xorriso", "-report_about", "UPDATE", "-pkt_output", "on", "-as", "cdrecord"]
    assert command[-1] == "-"
    assert {"dev=/dev/sr0", f"tsize={100 * BLOCK}", "padsize=0", "-sao"} <= set(command)


def test_only_what_is_asked_for_is_said() -> None:
    plain = set(data())

    assert set(data(speed=16)) - plain == {"speed=16"}
    assert set(data(simulate=True)) - plain == {"-dummy"}
    assert set(data(guard_underrun=False)) - plain == {"driveropts=noburnfree"}


def test_a_session_among_others_is_written_by_tracks() -> None:
    appendable = replace(CD, status=MediumStatus.APPENDABLE)

    assert {"-tao", "-multi"} <= set(data(leave_open=True))
    assert "-tao" in data(appendable)
    assert "-multi" not in data(appendable)


def test_what_is_written_over_is_formatted_if_need_be_and_never_multi_session() -> None:
    overwritable = MediumInfo(MediumKind.DVD_PLUS_RW, MediumStatus.OVERWRITABLE, 1000, 1000)

    command = data(overwritable, leave_open=True)

    assert {"-sao", "blank=as_needed"} <= set(command)
    assert "-multi" not in command


@given(blocks=st.integers(300, 5000), capacity=st.integers(0, 6000))
def test_audio_is_forced_where_it_fits_and_its_bytes_seem_not_to(blocks: int, capacity: int) -> None:
    plan = an_audio_plan(Programme((Track(blocks),)))
    medium = replace(CD, capacity=capacity, free_blocks=capacity)

    forced = "-force" in audio_command(plan, Target("/dev/sr0", medium))

    assert forced == (blocks <= capacity < -(-blocks * AUDIO_BLOCK // BLOCK))


def test_a_cue_sheet_tells_of_tracks_and_a_file_of_packs_of_all_text() -> None:
    sheets = audio_sheets(PROGRAMME)

    assert b"ISRC GBAYE0000351" in sheets[CUE]
    assert b"CATALOG 0724354526824" in sheets[CUE]
    assert b"TITLE" not in sheets[CUE]
    assert sheets[TEXT] == packs(PROGRAMME)
    assert read_packs(sheets[TEXT])[1][0].title == "One"
    assert f"textfile={TEXT}" in audio_command(an_audio_plan(), Target("/dev/sr0", CD))


def test_without_text_there_is_no_file_of_it() -> None:
    silent = Programme((Track(300),))

    assert TEXT not in audio_sheets(silent)
    assert f"textfile={TEXT}" not in audio_command(an_audio_plan(silent), Target("/dev/sr0", CD))


@pytest.mark.parametrize(("full", "mode"), [(False, "fast"), (True, "all")])
def test_blanking_is_quick_or_full(*, full: bool, mode: str) -> None:
    assert blank_command("/dev/sr0", full=full)[-1] == mode


def test_the_standards_of_cd_dvd_r_and_dvd_rw_know_a_test_write() -> None:
    kinds = {kind for kind in MediumKind if can_simulate(replace(CD, kind=kind))}

    assert kinds == {MediumKind.CD_R, MediumKind.CD_RW, MediumKind.DVD_R, MediumKind.DVD_R_DL, MediumKind.DVD_RW}
