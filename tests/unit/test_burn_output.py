"""What burn programs say, read from transcripts of real runs."""

import doctest
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import (
    BurnCancelled,
    DiscError,
    MediumMissing,
    MediumNotWritable,
    MediumTooSmall,
    MediumUnsuitable,
    RecorderBusy,
    RecorderError,
    RecorderMissing,
    RecorderUnsuitable,
    SessionNotClosed,
    WriteFailed,
)
from tests.recording import CASES, FOLDER, Transcript, read_transcript
from workers.recorders import burn_words, cdrskin_output, scsi_sense, scsi_toc, xorriso_output
from workers.recorders.burn_verdict import BurnVerdict
from workers.recorders.burn_words import Busy, Ended, Event, Lines, Message, Severity, TrackDone, Written
from workers.recorders.scsi_sense import Sense

READERS: dict[str, Callable[[str], Event | None]] = {
    "xorriso": xorriso_output.read_line,
    "cdrskin": cdrskin_output.read_line,
}

#: What each trouble is, whichever program tells of it.
TROUBLES: dict[str, type[DiscError]] = {
    "no-medium": MediumMissing,
    "closed": MediumNotWritable,
    "too-big": MediumTooSmall,
    "write-error": WriteFailed,
    "sync-error": SessionNotClosed,
    "close-error": SessionNotClosed,
    "unplugged": RecorderMissing,
    "medium-removed": MediumMissing,
    "simulated-dvd+r": RecorderUnsuitable,
    "busy": RecorderBusy,
    "audio-on-dvd": MediumUnsuitable,
    "audio-write-error": WriteFailed,
    "audio-too-big": MediumTooSmall,
}
GOOD = {"cd-r", "dvd+r", "bd-re", "simulated", "blanked", "audio"}
CALLED_OFF = {"sigterm", "audio-sigterm"}


def events_of(transcript: Transcript) -> list[Event]:
    read = READERS[transcript.program.split()[0]]
    return [event for event in map(read, transcript.lines) if event is not None]


def verdict_of(transcript: Transcript) -> BurnVerdict:
    verdict = BurnVerdict()
    for event in events_of(transcript):
        verdict.hear(event)
    return verdict


def cases(of: set[str]) -> list[str]:
    return [name for name in CASES if name.partition("-")[2] in of]


def test_every_transcript_names_its_program_and_has_its_case() -> None:
    recorded = {path.stem for path in FOLDER.glob("*.txt")}

    assert recorded == set(CASES) == set(cases({*TROUBLES, *GOOD, *CALLED_OFF}))
    assert {read_transcript(name).program for name in recorded} == {"xorriso 1.5.4", "cdrskin 1.5.4"}


@pytest.mark.parametrize("name", cases(GOOD))
def test_a_good_burn_is_called_good(name: str) -> None:
    transcript = read_transcript(name)

    assert verdict_of(transcript).error(transcript.exit_code) is None


@pytest.mark.parametrize("name", cases(set(TROUBLES)))
def test_a_trouble_is_called_by_its_name(name: str) -> None:
    transcript = read_transcript(name)

    error = verdict_of(transcript).error(transcript.exit_code)

    assert type(error) is TROUBLES[name.partition("-")[2]], error


@pytest.mark.parametrize("name", cases(set(TROUBLES)))
def test_words_of_failure_outweigh_an_exit_code_of_success(name: str) -> None:
    assert verdict_of(read_transcript(name)).error(0) is not None


@pytest.mark.parametrize("name", cases(GOOD))
def test_an_exit_code_of_failure_outweighs_words_of_success(name: str) -> None:
    assert isinstance(verdict_of(read_transcript(name)).error(1), RecorderError)
    assert isinstance(verdict_of(read_transcript(name)).error(-9), RecorderError)


@pytest.mark.parametrize("name", cases(GOOD))
def test_a_program_that_breaks_off_without_a_word_did_not_succeed(name: str) -> None:
    transcript = read_transcript(name)
    verdict = BurnVerdict()

    for event in events_of(transcript):
        if not isinstance(event, Ended):
            verdict.hear(event)

    assert isinstance(verdict.error(0), RecorderError)


@pytest.mark.parametrize("name", cases(CALLED_OFF))
def test_an_abort_is_a_cancel_if_somebody_asked_for_it_and_else_a_failure(name: str) -> None:
    transcript = read_transcript(name)

    verdict = verdict_of(transcript)

    assert isinstance(verdict.error(transcript.exit_code, called_off=True), BurnCancelled)
    assert type(verdict.error(transcript.exit_code)) is RecorderError


@pytest.mark.parametrize("name", cases({"write-error"}))
def test_a_write_error_is_told_with_sense_and_block(name: str) -> None:
    told = [event for event in events_of(read_transcript(name)) if isinstance(event, Message) and event.sense]

    assert (told[0].sense, told[0].block, told[0].severity) == (Sense(3, 0x0C), 688, Severity.FATAL)


@pytest.mark.parametrize("name", cases({"write-error"}))
def test_a_write_error_is_not_hidden_by_a_cancel(name: str) -> None:
    transcript = read_transcript(name)

    assert isinstance(verdict_of(transcript).error(transcript.exit_code, called_off=True), WriteFailed)


@pytest.mark.parametrize("name", cases({"cd-r", "audio"}))
def test_progress_grows_and_ends_at_the_whole(name: str) -> None:
    told = [event for event in events_of(read_transcript(name)) if isinstance(event, Written)]

    assert told
    assert all(event.done <= event.total and event.buffer == 0.5 for event in told)
    assert [event.done for event in told if event.track == told[0].track] == sorted(
        event.done for event in told if event.track == told[0].track
    )


def test_cdrskin_counts_what_each_track_was_given() -> None:
    verdict = verdict_of(read_transcript("cdrskin-audio"))
    tracks = [event for event in events_of(read_transcript("cdrskin-audio")) if isinstance(event, TrackDone)]

    assert [track.track for track in tracks] == [1, 2, 3]
    assert verdict.written == 1562 * 2352


@pytest.mark.parametrize("name", ["xorriso-cd-r", "cdrskin-audio"])
def test_work_without_progress_is_told_with_its_seconds(name: str) -> None:
    told = [event for event in events_of(read_transcript(name)) if isinstance(event, Busy)]

    assert told
    assert all(event.seconds >= 0 for event in told)


@given(line=st.text() | st.from_regex(r"I:1: xorriso : [A-Z]{4,7} : .*") | st.from_regex(r"Track \d+: .* written .*"))
def test_whatever_a_program_says_is_an_event_or_nothing(line: str) -> None:
    for read in READERS.values():
        verdict = BurnVerdict()
        verdict.hear(read(line))
        verdict.error(0)


@given(data=st.binary(max_size=300), cuts=st.lists(st.integers(0, 300), max_size=5))
def test_lines_do_not_depend_on_how_the_bytes_arrive(data: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    whole, pieces = Lines(), Lines()

    at_once = [*whole.feed(data), *whole.end()]
    bit_by_bit = [line for start, end in pairwise(places) for line in pieces.feed(data[start:end])]

    assert [*bit_by_bit, *pieces.end()] == at_once


def test_a_line_that_never_ends_is_cut() -> None:
    lines = Lines()

    told = [line for _ in range(100) for line in lines.feed(b"x" * 1000)]

    assert max(map(len, told)) <= 4096 + 1000
    assert not list(lines.feed(b""))


@pytest.mark.parametrize("module", [burn_words, xorriso_output, cdrskin_output, scsi_sense, scsi_toc])
def test_examples_are_true(module: object) -> None:
    result = doctest.testmod(module)  # type: ignore[arg-type]

    assert result.attempted
    assert not result.failed
