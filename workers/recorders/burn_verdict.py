"""What became of a burn, as its program tells it: never by the exit code alone, and never alone.

A burn that this calls good was good for the program. Whether all bytes were fed is the feeder's to say, whether the
disc is closed the drive's, and whether it is right the reading back's.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from jobs.errors import (
    BurnCancelled,
    DiscError,
    LossOfStreaming,
    MediumError,
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
from workers.recorders.burn_words import Ended, Event, Message, Severity, TrackDone

#: What the programs' words mean, the most telling first: the first that fits any message is the verdict.
_MEANINGS: tuple[tuple[str, type[DiscError]], ...] = (
    (r"Lost connection to drive|Drive is already released|Failed to transfer command", RecorderMissing),
    (r"Closed media with data|\*\* closed \*\*|Media is not writable", MediumNotWritable),
    (r"No media detected|No suitable media detected", MediumMissing),
    (r"exceeds free space|does not fit on media|Exceeding range of permissible", MediumTooSmall),
    (r"busy device", RecorderBusy),
    (r"simulation of write job not supported", RecorderUnsuitable),
    (r"prohibited by non-CD|-audio not supported|not properly formatted|Unsuitable media", MediumUnsuitable),
    (r"Failed to synchronize drive cache|Failed to close", SessionNotClosed),
    (r"SCSI error on write", WriteFailed),
    (r"buffer underrun", LossOfStreaming),
    (r"Cannot access|cannot find|Cannot acquire drive", RecorderMissing),
)
_COMPILED = tuple((re.compile(words, re.IGNORECASE), error) for words, error in _MEANINGS)
#: Said after every failure, whatever it was; quoted only where nothing better was said.
_EPILOGUE = re.compile(
    r"burning failed|Burn run failed|libburn indicates failure|Job could not be performed|-abort_on|CDB=|"
    r"--- SG_IO|Attempted command|urged to cancel"
)


@dataclass(slots=True)
class BurnVerdict:
    """Hears the events of one burn. `written` are bytes that the drive was given, where the program counts them."""

    messages: list[Message] = field(default_factory=list)
    succeeded: bool = False
    failed: bool = False
    written: int = 0

    def hear(self, event: Event | None) -> None:
        """Take an event."""
        if isinstance(event, Ended):
            self.succeeded, self.failed = self.succeeded or event.well, self.failed or not event.well
        elif isinstance(event, TrackDone):
            self.written += event.written
        elif isinstance(event, Message) and event.severity >= Severity.SORRY:
            self.messages.append(event)

    def error(self, exit_code: int, *, called_off: bool = False) -> DiscError | None:
        """Return what went wrong, None if all signs are good: exit code, the line of success, and no word of failure.

        `called_off` says that somebody told the program to stop: then its ending badly is no failure.
        """
        bad = [message for message in self.messages if message.severity >= Severity.FAILURE]
        if exit_code == 0 and self.succeeded and not self.failed and not bad:
            return None
        if called_off and not _senses(bad):
            return BurnCancelled("the burn was called off")
        return self._meaning(exit_code)

    def _meaning(self, exit_code: int) -> DiscError:
        for words, error in _COMPILED:
            message = next((message for message in self.messages if words.search(message.text)), None)
            if message is not None:
                return _error(error, message)
        told = [message.text for message in self.messages if not _EPILOGUE.search(message.text)]
        how = f"the burn program was killed by signal {-exit_code}" if exit_code < 0 else _how(exit_code)
        return RecorderError(f"{how}: {told[0]}" if told else how)


def _how(exit_code: int) -> str:
    return f"the burn program ended with code {exit_code}" if exit_code else "the burn program reports no success"


def _senses(messages: Iterable[Message]) -> bool:
    return any(message.sense is not None and message.sense.key for message in messages)


def _error(kind: type[DiscError], message: Message) -> DiscError:
    """Let the drive's own word be more telling than the program's: a medium that is gone fails every write."""
    if kind is WriteFailed and message.sense is not None:
        told = message.sense.error("write")
        if not isinstance(told, MediumError):
            return WriteFailed(message.text)
        return type(told)(message.text)
    return kind(message.text)
