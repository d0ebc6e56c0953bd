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
from workers.recorders.emulated_uri import PLENTY, EmulatedUri, Feed, parse_uri, plenty

feeds: st.SearchStrategy[Feed] = st.dictionaries(
    st.sampled_from(MediumKind), st.none() | st.integers(1, 999_999_999), max_size=4
)
folders = st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1).map(Path)
speeds = st.none() | st.decimals("0.001", "9999.999", places=3).map(float)
asked = st.builds(
    EmulatedUri,
    folder=folders,
    feed=feeds,
    speed=speeds,
    faults=st.lists(faults(), max_size=3).map(tuple),
    most=speeds,
    writes=st.frozensets(st.sampled_from(MediumKind), min_size=1),
    audio=st.booleans(),
    underrun_free=st.booleans(),
    properties=st.booleans(),
    offset=st.integers(-99_999, 99_999),
).filter(lambda uri: uri.most is None or uri.speed is None or uri.speed <= uri.most)


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


def test_a_drive_may_be_able_to_do_less() -> None:
    uri = parse_uri("emulated:d?writes=cd-r,dvd+r&audio=no&underrun=no&properties=no&max=16x&offset=-6")

    assert uri.writes == {MediumKind.CD_R, MediumKind.DVD_PLUS_R}
    assert (uri.audio, uri.underrun_free, uri.properties, uri.offset) == (False, False, False, -6)
    assert uri.feed == plenty(uri.writes) == {MediumKind.CD_R: None, MediumKind.DVD_PLUS_R: None}


@pytest.mark.parametrize(
    ("query", "asked", "speed", "max_speed"),
    [
        ("", None, None, None),
        ("", 8.0, 8.0, None),
        ("speed=4x", None, 4.0, 4.0),
        ("speed=4x", 8.0, 4.0, 4.0),
        ("max=16x", None, 16.0, 16.0),
        ("max=16x", 52.0, 16.0, 16.0),
        ("speed=4x&max=16x", 8.0, 4.0, 16.0),
        ("speed=4x&max=16x", 2.0, 2.0, 16.0),
    ],
)
def test_a_drive_is_never_faster_than_it_claims(
    query: str, asked: float | None, speed: float | None, max_speed: float | None
) -> None:
    uri = parse_uri(f"emulated:d?{query}")

    assert (uri.slowest(asked), uri.max_speed) == (speed, max_speed)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(Faults) as refusal:
        parse_uri(
            "emulated:?feed=dvd*3,cd-r,cd-r&feed=none&speed=fast&fault=smoke;flip&colour=red&audio=maybe"
            "&writes=floppy&offset=far&max=0x&underrun=no&underrun=yes"
        )

    wrong = "\n".join(refusal.value.faults)
    hints = (
        *("folder is missing", "speed=fast", "smoke", "flip needs a block", "colour=red", "feed= is given twice"),
        *(
            "audio=maybe: neither yes nor no",
            "'floppy' is not one of cd-r",
            "offset=far",
            "max=0x",
            "underrun= is given",
        ),
    )
    assert [hint for hint in hints if hint not in wrong] == []


def test_a_throttle_above_the_highest_speed_makes_no_sense() -> None:
    with pytest.raises(Faults, match="speed=32x is more than max=16x"):
        parse_uri("emulated:d?speed=32x&max=16x")


@pytest.mark.parametrize("feed", ["dvd", "cd-r*0", "cd-r*", "cd-r,cd-r", "", "cd-r,,dvd-r", "cd-r*1.5"])
def test_a_feed_that_makes_no_sense_is_refused(feed: str) -> None:
    with pytest.raises(Faults):
        parse_uri(f"emulated:d?feed={feed}")


def test_an_unknown_scheme_is_refused_with_those_there_are() -> None:
    with pytest.raises(OrderError, match=r"unknown scheme 'floppy'; known are .*emulated"):
        open_device("floppy:/dev/fd0")
