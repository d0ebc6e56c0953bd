"""What xorriso says while it burns, as events: `xorriso -report_about UPDATE -pkt_output on -as cdrecord -v`."""

import re

from workers.recorders.burn_words import Busy, Ended, Event, Message, Severity, read_message, read_written

#: A packet: channel (result, info, mark), 1 if the line ends here, the text.
_PACKET = re.compile(r"([RIM]):([01]): ?(.*)", re.DOTALL)
_BUSY = re.compile(r"(?P<what>[A-Z][A-Za-z/ ]*)\. Working since (?P<seconds>\d{1,9}) seconds?\.?$")
_SUCCESS = re.compile(r"Writing to '.*' completed successfully\.|Blanking done")
_REASON = re.compile(r"[ST]AO: (\S.*)")
#: Said while it waits for whatever it is: the lead-in, or what ends a burn.
_PATIENCE = "Thank you for being patient"


def read_line(line: str) -> Event | None:
    """Turn a line of xorriso into an event, or into nothing.

    >>> read_line("I:1: xorriso : UPDATE :    9 of   19 MB written (fifo 95%) [buf  50%]   5.6x.")
    Written(done=9, total=19, fifo=0.95, buffer=0.5, speed_x=5.6, track=None)
    >>> read_line("I:1: xorriso : UPDATE : Closing track/session. Working since 3 seconds")
    Busy(what='Closing track/session', seconds=3)
    >>> read_line("I:1: Writing to '/dev/sr0' completed successfully.")
    Ended(well=True)
    """
    packet = _PACKET.fullmatch(line)
    text = packet[3] if packet else line
    message = read_message(text)
    if message is None:
        return _read_bare(text.strip()) if packet else None
    if message.severity is not Severity.UPDATE:
        return message
    return read_written(message.text) or _read_busy(message.text)


def _read_bare(text: str) -> Ended | Message | None:
    """Read a line that has no severity: of success, or why it does not even begin."""
    if _SUCCESS.fullmatch(text):
        return Ended(well=True)
    reason = _REASON.fullmatch(text)
    return Message(Severity.FAILURE, reason[1].rstrip(",")) if reason else None


def _read_busy(text: str) -> Busy | None:
    found = _BUSY.search(text)
    if found is None:
        return None
    what = "" if found["what"] == _PATIENCE else found["what"]
    return Busy(what, int(found["seconds"]))
