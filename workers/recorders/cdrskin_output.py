"""What cdrskin says while it burns, as events: `cdrskin -v`. Progress is on its standard output, trouble on the other.

The two are read apart: where they share a pipe, a message ends up in the midst of a progress line.
"""

import re

from workers.recorders.burn_words import Busy, Ended, Event, Message, Severity, TrackDone, read_message, read_written

_TRACK = re.compile(r"Track (\d{1,2}):(.*)")
_DONE = re.compile(r" Total bytes read/written: (\d{1,18})/(\d{1,18}) ")
_BUSY = (
    re.compile(r"cdrskin: (?P<what>working [a-z -]*) ?\(burning since (?P<seconds>\d{1,9}) seconds?\)"),
    re.compile(r"cdrskin: (?P<what>blanking) \( *done .*, *(?P<seconds>\d{1,9}) seconds? elapsed"),
    re.compile(r"cdrskin: (?P<what>thank you for being patient) for (?P<seconds>\d{1,9}) seconds?"),
)
_PATIENCE = "thank you for being patient"
_REASON = re.compile(r"cdrskin: (?:Reason: |Media : )(\S.*)")
_ENDS = {"cdrskin: burning done": True, "cdrskin: blanking done": True, "cdrskin: burning failed": False}


def read_line(line: str) -> Event | None:
    """Turn a line of cdrskin, of either stream, into an event, or into nothing.

    >>> read_line("Track 01:   18 of   57 MB written (fifo 100%) [buf  50%]  37.7x.")
    Written(done=18, total=57, fifo=1.0, buffer=0.5, speed_x=37.7, track=1)
    >>> read_line("Track 01: Total bytes read/written: 20377600/20381696 (9952 sectors).")
    TrackDone(track=1, read=20377600, written=20381696)
    >>> read_line("cdrskin: working post-track (burning since 25 seconds)")
    Busy(what='working post-track', seconds=25)
    """
    text = line.strip()
    if text in _ENDS:
        return Ended(_ENDS[text])
    return read_message(text) or _read_reason(text) or _read_track(text) or _read_busy(text)


def _read_reason(text: str) -> Message | None:
    """Read why it does not even begin; the line has no severity of its own."""
    reason = _REASON.fullmatch(text)
    return Message(Severity.FAILURE, reason[1].rstrip(",")) if reason else None


def _read_track(text: str) -> Event | None:
    track = _TRACK.search(text)
    if track is None:
        return None
    done = _DONE.match(track[2])
    if done is not None:
        return TrackDone(int(track[1]), int(done[1]), int(done[2]))
    return read_written(track[2], int(track[1]))


def _read_busy(text: str) -> Busy | None:
    found = next(filter(None, (pattern.search(text) for pattern in _BUSY)), None)
    if found is None:
        return None
    what = "" if found["what"] == _PATIENCE else found["what"].strip()
    return Busy(what, int(found["seconds"]))
