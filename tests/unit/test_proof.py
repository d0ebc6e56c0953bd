"""An audio disc against its master, on drives that read CD-TEXT and on drives that do not."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from jobs.errors import MediumDiffers
from jobs.mastering.image import ImageReader
from jobs.mastering.master import Listener
from jobs.mastering.masters import StoredMaster
from jobs.mastering.medium import Family, MediumKind
from jobs.mastering.programme import DiscText, Programme, Track
from jobs.mastering.recorder import DiscRecorder, RecorderFeatures
from models.vocabulary import DiscFormat
from tests.programmes import audio_master, samples_of
from workers.proof import compare_disc

PROGRAMME = Programme((Track(400, text=DiscText("One")), Track(400)), text=DiscText("Album", "Somebody"))
WITHOUT_TEXT = replace(
    PROGRAMME, text=DiscText(), tracks=tuple(replace(track, text=DiscText()) for track in PROGRAMME.tracks)
)


class Drive:
    """A drive with a good disc in it."""

    def __init__(self, master: StoredMaster, told: Programme, *, reads_text: bool) -> None:
        self._master = master
        self._told = told
        self._reads_text = reads_text

    def features(self) -> RecorderFeatures:
        return RecorderFeatures(frozenset(MediumKind), frozenset(DiscFormat), reads_text=self._reads_text)

    def read_programme(self) -> Programme:
        return self._told

    def read_back(self, size: int) -> Iterator[bytes]:
        with ImageReader(self._master.load_image()) as reader:
            yield reader.read(0, size)


@pytest.fixture
def master(tmp_path: Path) -> StoredMaster:
    return audio_master(tmp_path, PROGRAMME, samples_of("noise", PROGRAMME.blocks * 588))


def compare(drive: Drive, master: StoredMaster) -> Any:  # noqa: ANN401  (a comparison)
    return compare_disc(cast("DiscRecorder", drive), Family.CD, master, Listener(lambda _: None))


def test_a_disc_whose_text_the_drive_can_t_read_is_good_by_all_else(master: StoredMaster) -> None:
    assert compare(Drive(master, WITHOUT_TEXT, reads_text=False), master).equal


def test_a_disc_without_its_text_is_bad_where_the_drive_would_read_it(master: StoredMaster) -> None:
    with pytest.raises(MediumDiffers, match="title of the disc"):
        compare(Drive(master, WITHOUT_TEXT, reads_text=True), master)


def test_a_drive_that_reads_no_text_still_tells_another_disc(master: StoredMaster) -> None:
    other = replace(WITHOUT_TEXT, mcn="0724354526824")

    with pytest.raises(MediumDiffers, match="MCN"):
        compare(Drive(master, other, reads_text=False), master)
