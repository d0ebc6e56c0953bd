"""Recordings of any lengths lie on one timeline without a gap or an overlap, and the tracks begin where they should."""

from hypothesis import given
from hypothesis import strategies as st

from jobs.audio_order import PlannedTrack, Spot, lay, silences, spot_faults


@st.composite
def plans(draw: st.DrawFn) -> tuple[list[int], list[PlannedTrack]]:
    """Lengths, and tracks that begin anywhere in them, with silences."""
    lengths = draw(st.lists(st.integers(1, 50), min_size=1, max_size=5))
    spots = [Spot(number, sample) for number, length in enumerate(lengths) for sample in range(length)]
    chosen = sorted(draw(st.sets(st.sampled_from(spots), min_size=1, max_size=8)))
    tracks = list[PlannedTrack]()
    while chosen:
        pregap = chosen.pop(0) if len(chosen) > 1 and draw(st.booleans()) else None
        before = 0 if pregap else draw(st.integers(0, 5))
        tracks.append(PlannedTrack(chosen.pop(0), pregap, (), before, draw(st.integers(0, 5))))
    return lengths, tracks


@given(plans())
def test_every_sample_is_there_once_and_in_order(plan: tuple[list[int], list[PlannedTrack]]) -> None:
    lengths, tracks = plan

    timeline = lay(lengths, tracks)

    samples = [(piece.recording, sample) for piece in timeline.pieces for sample in range(piece.begin, piece.end)]
    places = [place for piece in timeline.pieces for place in range(piece.at, piece.at + piece.end - piece.begin)]
    silence = sum(track.silence_before + track.silence_after for track in tracks)
    assert samples == [(number, sample) for number, length in enumerate(lengths) for sample in range(length)]
    assert places == sorted(set(places))
    assert timeline.samples == sum(lengths) + silence


@given(plans())
def test_tracks_begin_at_their_samples_behind_their_silence(plan: tuple[list[int], list[PlannedTrack]]) -> None:
    lengths, tracks = plan

    timeline = lay(lengths, tracks)

    where = {
        place: Spot(piece.recording, piece.begin + place - piece.at)
        for piece in timeline.pieces
        for place in range(piece.at, piece.at + piece.end - piece.begin)
    }
    for track, cut in zip(tracks, timeline.cuts, strict=True):
        assert where[cut.start] == track.start
        if track.silence_before:
            assert cut.pregap_start == cut.start - track.silence_before
            assert not any(place in where for place in range(cut.begin, cut.start))
        else:
            assert (where[cut.pregap_start] if cut.pregap_start is not None else None) == track.pregap
    for before, cut in zip(tracks, timeline.cuts[1:], strict=False):
        assert not any(place in where for place in range(cut.begin - before.silence_after, cut.begin))


@given(plans())
def test_recordings_part_just_where_silence_comes_in_between(plan: tuple[list[int], list[PlannedTrack]]) -> None:
    lengths, tracks = plan

    timeline = lay(lengths, tracks)

    inner = {spot for spot, _ in silences(tracks) if spot.sample}
    assert {Spot(piece.recording, piece.begin) for piece in timeline.pieces if piece.begin} == inner


def test_an_index_beyond_the_end_of_its_file_is_named() -> None:
    tracks = [PlannedTrack(Spot(0)), PlannedTrack(Spot(0, 588 * 300), Spot(0, 588 * 100), (Spot(1, 5),))]

    assert list(spot_faults([588 * 300, 5], tracks)) == [
        (2, "index at 00:04:00, but its file ends at 00:04:00"),
        (2, "index at 00:00:00, but its file ends at 00:00:00"),
    ]
