"""What went wrong in a burner, as it crosses from its process to the worker's: words there, an exception here."""

from dataclasses import dataclass

from jobs.errors import (
    BurnCancelled,
    DiscError,
    DiscUnreadable,
    FileSystemInUse,
    InvalidImage,
    LossOfStreaming,
    MediumMissing,
    MediumNotWritable,
    MediumTooSmall,
    MediumUnsuitable,
    RecorderBusy,
    RecorderMissing,
    RecorderNotAccessible,
    RecorderStalled,
    RecorderUnsuitable,
    Remedy,
    SessionNotClosed,
    SourceChanged,
    UnexpectedFailure,
    WriteFailed,
    WriteNotBegun,
    WrongDisc,
)


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure in words: code, message and remedy, the block of the medium, the source's path if it is one."""

    code: str
    message: str
    remedy: str
    block: int = 0
    path: str = ""

    @classmethod
    def of(cls, error: DiscError, block: int) -> "Failure":
        """Put an error into words; `block` is where on the medium it happened."""
        return cls(error.code, error.message, error.remedy, block, str(getattr(error, "path", "")))

    def as_error(self) -> DiscError:
        """Return the exception that these words stand for."""
        if self.code == SourceChanged.code:
            return _ToldSourceChanged(self)
        known = _BY_CODE.get(self.code)
        return known(self.message) if known is not None else _Told(self)


_BY_CODE: dict[str, type[DiscError]] = {
    error.code: error
    for error in (
        BurnCancelled,
        DiscUnreadable,
        FileSystemInUse,
        InvalidImage,
        LossOfStreaming,
        MediumMissing,
        MediumNotWritable,
        MediumTooSmall,
        MediumUnsuitable,
        RecorderBusy,
        RecorderMissing,
        RecorderNotAccessible,
        RecorderStalled,
        RecorderUnsuitable,
        SessionNotClosed,
        UnexpectedFailure,
        WriteFailed,
        WriteNotBegun,
        WrongDisc,
    )
}


class _ToldSourceChanged(SourceChanged):
    """A changed source, with the message that the burner already made."""

    def __init__(self, failure: Failure) -> None:
        self.path = failure.path
        DiscError.__init__(self, failure.message)


class _Told(DiscError):
    """A failure whose class has no code of its own."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.code = failure.code
        self.remedy = Remedy(failure.remedy) if failure.remedy in set(Remedy) else Remedy.REPORT_BUG
