"""What can go wrong, each with a code and the remedy that decides what happens next."""

from collections.abc import Sequence
from enum import StrEnum


class Remedy(StrEnum):
    """What helps; failure routing acts on it and on nothing else."""

    FIX_ORDER = "fix_order"  #: the order or its sources: the job waits, nothing more of it is assigned
    FREE_SPACE = "free_space"  #: room on the host: the job is tried again later
    CHANGE_MEDIUM = "change_medium"  #: the recorder waits for a person
    USE_OTHER_RECORDER = "use_other_recorder"  #: the recorder waits for a person, the copy goes elsewhere
    TRY_AGAIN = "try_again"  #: may pass by itself
    REPORT_BUG = "report_bug"  #: a program did what it must not
    NONE = "none"  #: an outcome somebody wanted, not a failure


class DiscError(Exception):
    """Anything this project refuses or fails at.

    `code` is stable and machine-readable: IMAPI's name where IMAPI has one.
    """

    code = "DISCMILL_E_GENERIC"
    remedy = Remedy.REPORT_BUG

    @property
    def message(self) -> str:
        """The sentence a person reads."""
        return str(self)


class OrderError(DiscError):
    """An order, or content it names, that can't be carried out as it is."""

    code = "DISCMILL_E_ORDER"
    remedy = Remedy.FIX_ORDER


class Faults(OrderError):
    """All that is wrong with an order, a manifest or a configuration, at once.

    `faults` are sentences, one a fault.
    """

    code = "DISCMILL_E_FAULTS"

    def __init__(self, subject: str, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        lines = "".join(f"\n  - {fault}" for fault in self.faults)
        super().__init__(f"{subject}:{lines}")


class SourceChanged(OrderError):
    """A source is not what was staged any more."""

    code = "DISCMILL_E_SOURCE_CHANGED"

    def __init__(self, path: str, how: str) -> None:
        self.path = path
        super().__init__(f"{path} {how} since it was staged; put the staged file back, or order anew")


class OutsideRoots(OrderError):
    """Content that lies outside the folders that may be read."""

    code = "DISCMILL_E_OUTSIDE_ROOTS"


class BadName(OrderError):
    """A name the format can't hold."""

    code = "IMAPI_E_BADJOLIETNAME"


class DiscFull(OrderError):
    """Content that does not fit the media asked for."""

    code = "IMAPI_E_DISCFULL"


class InvalidImage(OrderError):
    """An image that is not one, or nothing staged."""

    code = "IMAPI_E_INVALIDIMAGE"


class KeyTaken(OrderError):
    """The idempotency key belongs to another order."""

    code = "DISCMILL_E_KEY_TAKEN"


class NotFound(DiscError):
    """An id or a name nobody knows."""

    code = "DISCMILL_E_NOT_FOUND"
    remedy = Remedy.FIX_ORDER


class NotAllowed(DiscError):
    """A request that the state of things, or the asker's identity, forbids."""

    code = "DISCMILL_E_NOT_ALLOWED"
    remedy = Remedy.FIX_ORDER


class MediumError(DiscError):
    """The medium in the tray is the trouble."""

    code = "IMAPI_E_MEDIUM_INVALIDTYPE"
    remedy = Remedy.CHANGE_MEDIUM


class MediumMissing(MediumError):
    """Nothing is in the tray."""

    code = "IMAPI_E_MEDIUM_NOTPRESENT"


class MediumUnsuitable(MediumError):
    """The medium is of the wrong kind, too small or not blank."""


class MediumNotWritable(MediumError):
    """The medium refuses to be written."""

    code = "IMAPI_E_CANNOT_WRITE_TO_MEDIA"


class MediumDiffers(MediumError):
    """What was read back is not what the master says.

    A disc that fails its verification is one bad disc: the copy is tried again like after any write fault.
    """

    code = "DISCMILL_E_VERIFY"
    remedy = Remedy.TRY_AGAIN


class WriteFailed(MediumError):
    """Writing stopped with an error of the drive or the medium."""

    code = "IMAPI_E_LOSS_OF_STREAMING"
    remedy = Remedy.TRY_AGAIN


class RecorderError(DiscError):
    """The recorder is the trouble."""

    code = "IMAPI_E_GENERIC"
    remedy = Remedy.USE_OTHER_RECORDER


class RecorderMissing(RecorderError):
    """The device is gone."""

    code = "IMAPI_E_DEVICE_NOTPRESENT"


class RecorderBusy(RecorderError):
    """Somebody else holds the device."""

    code = "IMAPI_E_DEVICE_NOTACCESSIBLE"
    remedy = Remedy.TRY_AGAIN


class RecorderStalled(RecorderError):
    """The device does not answer any more."""

    code = "DISCMILL_E_STALLED"


class OutOfOrder(DiscError):
    """A step of the lifecycle taken before the one it needs."""

    code = "IMAPI_E_GENERIC"


class NotOpened(OutOfOrder):
    """The master was not opened."""

    code = "IMAPI_E_NOTOPENED"


class AlreadyOpen(OutOfOrder):
    """The master is open already."""

    code = "IMAPI_E_ALREADYOPEN"


class NoActiveFormat(OutOfOrder):
    """No format is selected."""

    code = "IMAPI_E_NOACTIVEFORMAT"


class WrongFormat(OutOfOrder):
    """The call belongs to another format than the one selected."""

    code = "IMAPI_E_WRONGFORMAT"


class NoActiveRecorder(OutOfOrder):
    """No recorder is selected."""

    code = "IMAPI_E_NOACTIVERECORDER"


class IllegalTransition(DiscError):
    """A move the table of legal moves does not have."""

    code = "DISCMILL_E_TRANSITION"

    def __init__(self, what: str, state: str, to: str) -> None:
        super().__init__(f"{what} can't go from {state} to {to}")


class Fenced(DiscError):
    """This worker is not the recorder's owner any more; whatever it wanted to write is void."""

    code = "DISCMILL_E_FENCED"


class NotPermitted(DiscError):
    """The permit to write was refused: the attempt, or the medium, is not what it was."""

    code = "DISCMILL_E_NOT_PERMITTED"
    remedy = Remedy.TRY_AGAIN


class BurnCancelled(DiscError):
    """Somebody called the burn off."""

    code = "IMAPI_E_USERABORT"
    remedy = Remedy.NONE
