"""The order form: what it takes, and what it says is wrong."""

import pytest

from jobs import Boot, audio_disc, data_disc
from jobs.errors import OrderError
from jobs.ordering import ContentKind, Options
from models.vocabulary import Nonblank


def test_an_audio_disc_is_made_of_files_or_of_one_sheet() -> None:
    files, sheet = audio_disc("1.flac", "2.wav", title="T"), audio_disc(cue="a.cue")

    assert (files.kind, [str(path) for path in files.paths], files.title) == (
        ContentKind.AUDIO,
        ["1.flac", "2.wav"],
        "T",
    )
    assert (sheet.kind, [str(path) for path in sheet.paths]) == (ContentKind.CUE, ["a.cue"])


def test_an_audio_disc_of_both_or_of_neither_is_refused() -> None:
    with pytest.raises(OrderError, match="one or the other"):
        audio_disc()
    with pytest.raises(OrderError, match="one or the other"):
        audio_disc("1.flac", cue="a.cue")


def test_boot_images_are_part_of_the_content() -> None:
    assert data_disc("tree", boot=[Boot("boot.img")]).boot == (Boot("boot.img"),)


@pytest.mark.parametrize(("medium", "refused"), [("dvd+rw", True), ("bd-re", True), ("dvd+r", False), ("dvd", False)])
def test_no_session_is_appended_to_what_is_written_over_from_its_start(medium: str, *, refused: bool) -> None:
    faults = Options(medium=medium, nonblank=Nonblank.APPEND).faults()

    assert any("no session can be appended" in fault for fault in faults) == refused
    assert len(faults) == refused
