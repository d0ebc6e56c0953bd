"""What can go wrong, each with a code and the remedy that decides what happens next."""

from collections.abc import Sequence
from enum import StrEnum

from jobs.result_codes import VALUES


class Remedy(StrEnum):
    """What helps; failure routing acts on it and on nothing else."""

    FIX_ORDER = "fix_order"  #: the order or its sources: the job waits, nothing more of it is assigned
    FREE_SPACE = "free_space"  #: room on the host: the job is tried again later
    CHANGE_MEDIUM = "change_medium"  #: the recorder waits for a person
    USE_OTHER_RECORDER = "use_other_recorder"  #: the recorder waits for a person, the copy goes elsewhere
    TRY_AGAIN = "try_again"  #: may pass by itself
    MOVE_STASH = "move_stash"  #: the stash belongs on another file system
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

    @property
    def value(self) -> int | None:
        """The number of the code in IMAPI (HRESULT), where it is one of IMAPI's."""
        return VALUES.get(self.code)


class DiscWarning(UserWarning):
    """Something was done, though not all that was asked: IMAPI's success codes."""

    code = ""

    @property
    def value(self) -> int | None:
        """The number of the code in IMAPI (HRESULT)."""
        return VALUES.get(self.code)


class PropertiesIgnored(DiscWarning):
    """Properties that nobody knows, or that can only be read, were skipped; the others are set."""

    code = "IMAPI_S_PROPERTIESIGNORED"


class UnexpectedFailure(DiscError):
    """Something nobody foresaw; its traceback is in the log."""

    code = "IMAPI_E_GENERIC"


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
        named = path if path.isprintable() else repr(path)  # of people's names: logs, terminals and Flower show it
        super().__init__(f"{named} {how} since it was staged; put the staged file back, or order anew")


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
    """An image that is not one, or is damaged."""

    code = "IMAPI_E_INVALIDIMAGE"


class NothingStaged(InvalidImage):
    """There is nothing to burn: nothing was staged, or it was cleared or burnt."""


class AlreadyStaged(OrderError):
    """The place on the disc is taken by what was staged before."""

    code = "IMAPI_E_FILEEXISTS"


class TooManyTracks(OrderError):
    """A 100th audio track (Red Book: 99)."""

    code = "IMAPI_E_DF2TAO_TRACK_LIMIT_REACHED"


class TrackTooShort(OrderError):
    """An audio track of less than four seconds (Red Book)."""

    code = "IMAPI_E_TRACK_NOT_BIG_ENOUGH"


class PartialBlock(OrderError):
    """Audio that is not a whole number of blocks of 2352 bytes."""

    code = "DISCMILL_E_PARTIAL_BLOCK"


class BadProperty(OrderError):
    """A value that a property can't have."""

    code = "DISCMILL_E_BAD_PROPERTY"


class BootNeedsBlankDisc(OrderError):
    """A boot image is to go on a disc that has sessions already."""

    code = "IMAPI_E_BOOTIMAGE_AND_NONBLANK_DISC"


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

    code = "DISCMILL_E_MEDIUM"
    remedy = Remedy.CHANGE_MEDIUM


class MediumMissing(MediumError):
    """Nothing is in the tray."""

    code = "IMAPI_E_MEDIUM_NOTPRESENT"


class InputEmpty(MediumMissing):
    """The loader has no blank of the kind that is needed."""

    code = "DISCMILL_E_INPUT_EMPTY"


class MediumUnsuitable(MediumError):
    """The medium is of the wrong kind, or not blank."""

    code = "IMAPI_E_MEDIUM_INVALIDTYPE"


class MediumTooSmall(MediumUnsuitable):
    """The medium in the tray has less room than the image needs."""

    code = "IMAPI_E_DISCFULL"


class WrongDisc(MediumError):
    """Another disc is in the tray than the one the session was laid out for."""

    code = "IMAPI_E_WRONGDISC"


class DiscUnreadable(MediumError):
    """The drive can't say what is on the disc: its information can't be read."""

    code = "IMAPI_E_DISCINFO"


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
    """A block can't be written, or the burn ended without a word. IMAPI v1 has no code for it."""

    code = "DISCMILL_E_WRITE"
    remedy = Remedy.TRY_AGAIN


class LossOfStreaming(MediumError):
    """The drive's buffer ran empty, and nothing guards it against that."""

    code = "IMAPI_E_LOSS_OF_STREAMING"
    remedy = Remedy.TRY_AGAIN


class WriteNotBegun(MediumError):
    """The drive could not be set up for writing."""

    code = "IMAPI_E_INITIALIZE_WRITE"
    remedy = Remedy.TRY_AGAIN


class SessionNotClosed(MediumError):
    """All blocks were written, but the session could not be closed."""

    code = "IMAPI_E_INITIALIZE_ENDWRITE"
    remedy = Remedy.TRY_AGAIN


class RecorderError(DiscError):
    """The recorder is the trouble."""

    code = "DISCMILL_E_RECORDER"
    remedy = Remedy.USE_OTHER_RECORDER


class RecorderMissing(RecorderError):
    """The device is gone."""

    code = "IMAPI_E_DEVICE_NOTPRESENT"


class RecorderBusy(RecorderError):
    """Another program uses the device: a burn, or whoever holds its lock."""

    code = "IMAPI_E_DEVICE_STILL_IN_USE"
    remedy = Remedy.TRY_AGAIN


class RecorderNotAccessible(RecorderError):
    """The device can't be used: this very program has it open exclusively, or may not open it."""

    code = "IMAPI_E_DEVICE_NOTACCESSIBLE"


class RecorderUnsuitable(RecorderError):
    """The recorder can't do what was asked: write that kind of medium, simulate it, erase."""

    code = "IMAPI_E_DEVICE_INVALIDTYPE"


class NoProperties(RecorderError):
    """The recorder has no properties."""

    code = "IMAPI_E_DEVICE_NOPROPERTIES"


class FileSystemInUse(RecorderError):
    """The system has the disc mounted and does not let go of it."""

    code = "IMAPI_E_FILESYSTEM"


class RecorderStalled(RecorderError):
    """The device does not answer any more."""

    code = "DISCMILL_E_STALLED"


class LoaderError(RecorderError):
    """What moves the discs is the trouble."""

    code = "DISCMILL_E_LOADER"


class OutputFull(LoaderError):
    """There is no room where the disc belongs; it stays in the drive."""

    code = "DISCMILL_E_OUTPUT_FULL"
    remedy = Remedy.CHANGE_MEDIUM


class DriveOccupied(LoaderError):
    """A disc is in the drive that does not go back to the blanks."""

    code = "DISCMILL_E_DRIVE_OCCUPIED"
    remedy = Remedy.CHANGE_MEDIUM


class MechanismFault(LoaderError):
    """A disc did not get where it was to go."""

    code = "DISCMILL_E_MECHANISM"


class StashError(DiscError):
    """The stash, the folder where a mastering session keeps what was staged, is the trouble."""

    code = "IMAPI_E_FILEACCESS"
    remedy = Remedy.MOVE_STASH


class StashInUse(StashError):
    """Another session has the stash."""

    code = "IMAPI_E_STASHINUSE"
    remedy = Remedy.TRY_AGAIN


class StashCompressed(StashError):
    """The stash would lie in a compressed folder: reading it could not keep up with a burn."""

    code = "IMAPI_E_COMPRESSEDSTASH"


class StashEncrypted(StashError):
    """The stash would lie in an encrypted folder: reading it could not keep up with a burn."""

    code = "IMAPI_E_ENCRYPTEDSTASH"


class StashRemovable(StashError):
    """The stash would lie on a removable disk, which may be gone in mid-burn."""

    code = "IMAPI_E_REMOVABLESTASH"


class StashFull(StashError):
    """The stash has no room for what is staged."""

    code = "IMAPI_E_NOTENOUGHDISKFORSTASH"
    remedy = Remedy.FREE_SPACE


class OutOfOrder(DiscError):
    """A step of the lifecycle taken before the one it needs."""

    code = "DISCMILL_E_OUT_OF_ORDER"


class Reentered(OutOfOrder):
    """A call from a listener, or from another thread, while the master records; only a cancel gets through."""

    code = "DISCMILL_E_REENTERED"


class NotInitialized(OutOfOrder):
    """The recorder belongs to a mastering session that is closed; enumerate anew."""

    code = "IMAPI_E_NOTINITIALIZED"


class NotHeld(OutOfOrder):
    """The call needs the recorder opened exclusively."""

    code = "IMAPI_E_NOTOPENED"


class TrackOpen(OutOfOrder):
    """An audio track is still open; close it first."""

    code = "IMAPI_E_TRACKOPEN"


class TrackNotOpen(OutOfOrder):
    """No audio track is open."""

    code = "IMAPI_E_TRACKNOTOPEN"


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
