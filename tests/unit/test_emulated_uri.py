"""What an emulated drive is asked for."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import Faults, OrderError
from jobs.mastering.medium import MediumKind
from tests.unit.test_emulated_faults import faults
from workers.recorders import open_device
from workers.recorders.emulated_faults import Fault, FaultName
from workers.recorders.emulated_uri import PLENTY, EmulatedUri, Feed, parse_uri

feeds: st.SearchStrategy[Feed] = st.dictionaries(
    st.sampled_from(MediumKind), st.none() | st.integers(1, 999_999_999), max_size=4
)
folders = st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1).map(Path)
speeds = st.none() | st.decimals("0.001", "9999.999", places=3).map(float)
asked = st.builds(EmulatedUri, folders, feeds, speeds, st.lists(faults(), max_size=3).map(tuple))


@given(uri=asked)
def test_a_uri_is_read_as_it_is_written(uri: EmulatedUri) -> None:
    assert parse_uri(str(uri)) == uri


@given(query=st.text(st.sampled_from("feedspaultx=&;,*@:-+%.0123456789 dvr?"), max_size=40))
def test_any_other_options_are_refused(query: str) -> None:
    uri = None
    with contextlib.suppress(Faults):
        uri = parse_uri(f"emulated:dir?{query}")

    assert uri is None or parse_uri(str(uri)) == uri


def test_the_designs_example() -> None:
    uri = parse_uri("emulated:DIR?feed=dvd-r*50,cd-r*10&speed=16x&fault=write-error@12000:disc2")

    assert uri == EmulatedUri(
        Path("DIR"),
        {MediumKind.DVD_R: 50, MediumKind.CD_R: 10},
        16.0,
        (Fault(FaultName.WRITE_ERROR, 12000, 2),),
    )


def test_nothing_asked_is_plenty_at_full_speed() -> None:
    assert parse_uri("emulated:/a/b") == EmulatedUri(Path("/a/b"), PLENTY)
    assert list(PLENTY)[:4] == [MediumKind.CD_R, MediumKind.DVD_R, MediumKind.DVD_PLUS_R_DL, MediumKind.BD_R]
    assert set(PLENTY) == set(MediumKind)


def test_a_folder_may_hold_what_means_something_here() -> None:
    assert parse_uri("emulated:a%3Fb%25%20c?feed=dvd+r").folder == Path("a?b% c")
    assert parse_uri("emulated:a%3Fb?feed=dvd+r").feed == {MediumKind.DVD_PLUS_R: None}


def test_faults_come_in_one_option_or_in_several() -> None:
    one, several = (
        parse_uri(f"emulated:d?{query}").faults
        for query in ("fault=close-error;unplug@7", "fault=close-error&fault=unplug@7")
    )

    assert one == several == (Fault(FaultName.CLOSE_ERROR), Fault(FaultName.UNPLUG, 7))


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(Faults) as refusal:
        parse_uri("emulated:?feed=dvd*3,cd-r,cd-r&feed=none&speed=fast&fault=smoke;flip&colour=red")

    wrong = "\n".join(refusal.value.faults)
    hints = ("folder is missing", "speed=fast", "smoke", "flip needs a block", "colour=red", "feed= is given twice")
    assert [hint for hint in hints if hint not in wrong] == []


@pytest.mark.parametrize("feed", ["dvd", "cd-r*0", "cd-r*", "cd-r,cd-r", "", "cd-r,,dvd-r", "cd-r*1.5"])
def test_a_feed_that_makes_no_sense_is_refused(feed: str) -> None:
    with pytest.raises(Faults):
        parse_uri(f"emulated:d?feed={feed}")


def test_an_unknown_scheme_is_refused_with_those_there_are() -> None:
    with pytest.raises(OrderError, match=r"unknown scheme 'floppy'; known are .*emulated"):
        open_device("floppy:/dev/fd0")
