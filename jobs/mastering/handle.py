"""A recorder as a mastering program sees it (IMAPI IDiscRecorder): its state, exclusive access, and properties.

The device itself is behind the port `DiscRecorder`; the rules of IMAPI are here, the same for every driver. A handle
belongs to the mastering session that enumerated it and may be used whether or not it is the active recorder.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum

from jobs.errors import (
    BadProperty,
    DiscError,
    MediumMissing,
    NoProperties,
    NotHeld,
    NotInitialized,
    PropertiesIgnored,
    RecorderNotAccessible,
    RecorderUnsuitable,
)
from jobs.mastering.audience import Audience
from jobs.mastering.media_facts import MediaFacts, media_facts
from jobs.mastering.medium import MediumInfo
from jobs.mastering.progress import EraseComplete
from jobs.mastering.recorder import DiscRecorder, Hold, RecorderFeatures, RecorderIdentity

#: Blocks between two audio tracks: the default of two seconds, and the most that IMAPI takes.
DEFAULT_GAP, LARGEST_GAP = 150, 225
#: The speed that means: as fast as drive and medium go.
FASTEST = -1


class RecorderState(IntEnum):
    """What a recorder is doing (RECORDER_DOING_NOTHING, RECORDER_OPENED, RECORDER_BURNING)."""

    IDLE = 0
    OPENED = 1  #: exclusively, by this session
    BURNING = 2


class RecorderType(IntEnum):
    """What a drive can write, whatever is in it."""

    CDR = 1
    CDRW = 2


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """Where a medium is written and where not (QueryMediaInfo), in blocks."""

    sessions: int
    last_track: int
    start: int  #: of the last session
    next_writable: int
    free_blocks: int


@dataclass(slots=True)
class RecorderSettings:
    """The properties that a program may set; forgotten when the session is closed.

    `write_speed` is in multiples of the medium's 1x, `audio_gap` in blocks between tracks, `guard_underrun` -1 (if
    the drive can), 0 or 1.
    """

    write_speed: int = FASTEST
    audio_gap: int = DEFAULT_GAP
    guard_underrun: int = -1

    @property
    def speed(self) -> float | None:
        """The speed for a burn, None for the fastest."""
        return None if self.write_speed == FASTEST else float(self.write_speed)


class RecorderHandle:
    """One recorder of a mastering session."""

    def __init__(self, port: DiscRecorder, audience: Audience) -> None:
        self.port = port
        self._audience = audience
        self._is_valid = True
        self._hold: Hold | None = None
        self._is_burning = False
        self.settings = RecorderSettings()

    def invalidate(self) -> None:
        """End the handle with its session: it lets go of the device, and every call from now on is refused."""
        self.let_go()
        self._is_valid = False

    def identify(self) -> RecorderIdentity:
        """Say who made the device and which one it is (GetDisplayNames, GetRecorderGUID).

        Raises:
            NotInitialized: the session is closed.
            RecorderMissing: the device is gone.
        """
        return self._ready.identify()

    @property
    def path(self) -> str:
        """How the device is reached (GetPath): two equal drives differ in it."""
        return self._ready.uri

    @property
    def plug_and_play_id(self) -> str:
        """What all devices of this make, model and revision share (GetBasePnPID)."""
        who = self.identify()
        return "&".join(f"{key}_{word.replace(' ', '_')}" for key, word in _pnp_parts(who))

    @property
    def features(self) -> RecorderFeatures:
        """What the device can do."""
        return self._ready.features()

    @property
    def type(self) -> RecorderType:
        """Whether the drive writes rewritable media, too (GetRecorderType)."""
        return RecorderType.CDRW if any(kind.is_rewritable for kind in self.features.kinds) else RecorderType.CDR

    @property
    def state(self) -> RecorderState:
        """What the recorder is doing (GetRecorderState)."""
        if not self._is_valid:
            raise NotInitialized(_CLOSED)
        if self._is_burning:
            return RecorderState.BURNING
        return RecorderState.IDLE if self._hold is None else RecorderState.OPENED

    def properties(self) -> dict[str, int]:
        """Return all properties by IMAPI's names (GetRecorderProperties). Speeds are multiples of the medium's 1x.

        Raises:
            NoProperties: the recorder has none.
        """
        features, chosen = self._adjustable(), self.settings
        return {
            "MaxWriteSpeed": _whole(features.max_speed),
            "WriteSpeed": chosen.write_speed,
            "AudioGapSize": chosen.audio_gap,
            "BufferUnderrunFreeCapable": -1 if features.underrun_free else 0,
            "EnableBufferUnderrunFree": chosen.guard_underrun,
        }

    def set_properties(self, values: Mapping[str, int]) -> None:
        """Set some properties (SetRecorderProperties); read them back to see what became of them.

        A speed above the largest becomes the largest. Unknown and read-only ones are skipped, with a
        `PropertiesIgnored` warning; the others are set all the same.

        Raises:
            NoProperties: the recorder has none.
            BadProperty: a value that can't be; nothing is set.
        """
        features = self._adjustable()
        changed = RecorderSettings(**{name: getattr(self.settings, name) for name in RecorderSettings.__slots__})
        for name, value in values.items():
            if name in _SETTERS:
                _SETTERS[name](changed, value, features)
        self.settings = changed
        ignored = sorted(values.keys() - _SETTERS.keys())
        if ignored:
            warnings.warn(PropertiesIgnored(f"skipped: {', '.join(ignored)}"), stacklevel=2)

    def open_exclusive(self) -> None:
        """Keep every other program away from the device (OpenExclusive); hold it no longer than needed.

        Raises:
            RecorderNotAccessible: it is open already, or burns.
            RecorderBusy: another program uses it.
            RecorderMissing: it is gone.
        """
        if self.state is not RecorderState.IDLE:
            raise RecorderNotAccessible(f"{self.path} is in use by this very session; close it first")
        self._hold = self._ready.hold()

    def close(self) -> None:
        """Let others have the device again (Close).

        Raises:
            NotHeld: it is not open.
        """
        self._check_held()
        self.let_go()

    def let_go(self) -> None:
        """Let others have the device, if it is held."""
        if self._hold is not None:
            self._hold.close()
            self._hold = None

    def query_media_type(self) -> MediaFacts:
        """Say what kind of disc is in and what can be done with it (QueryMediaType); nothing in: nothing set.

        Raises:
            NotHeld: the recorder is not open exclusively.
        """
        self._check_held()
        return media_facts(self._ready.probe())

    def query_media_info(self) -> MediaInfo:
        """Say where the medium is written and where it is free (QueryMediaInfo).

        Raises:
            MediumMissing: nothing is in.
        """
        medium = self.probe()
        return MediaInfo(medium.sessions, medium.tracks, medium.last_session, medium.next_writable, medium.free_blocks)

    def probe(self) -> MediumInfo:
        """Say what the medium is.

        Raises:
            MediumMissing: nothing is in.
        """
        medium = self._ready.probe()
        if medium is None:
            raise MediumMissing(f"no medium is in {self.path}; load one")
        return medium

    def eject(self) -> None:
        """Open the tray (Eject).

        Raises:
            NotHeld: the recorder is not open exclusively.
        """
        self._check_held()
        self._ready.eject()

    def erase(self, *, full: bool = False) -> None:
        """Make a rewritable medium blank (Erase): its table of contents alone, or all of it, which may take an hour.

        Listeners hear EraseProgress, and EraseComplete once, with what this call raises; they may call it off.

        Raises:
            NotHeld: the recorder is not open exclusively.
            RecorderUnsuitable: the drive writes no rewritable media.
            MediumMissing, MediumUnsuitable: nothing is in, or a medium that can be written only once.
            BurnCancelled: a listener asked for it; the medium has to be erased again.
        """
        self._check_held()
        try:
            if self.type is RecorderType.CDR:
                raise RecorderUnsuitable(f"{self.path} writes no rewritable media")
            self._ready.blank(self._audience, full=full)
        except DiscError as error:
            self._audience.notify(EraseComplete(error))
            raise
        self._audience.notify(EraseComplete())

    @contextmanager
    def burning(self) -> Iterator[DiscRecorder]:
        """Lend the device to a burn.

        Raises:
            RecorderNotAccessible: it is open exclusively; it belongs to one use at a time.
        """
        if self.state is not RecorderState.IDLE:
            raise RecorderNotAccessible(f"{self.path} is open exclusively; close it before recording")
        self._is_burning = True
        try:
            yield self._ready
        finally:
            self._is_burning = False

    @property
    def _ready(self) -> DiscRecorder:
        if not self._is_valid:
            raise NotInitialized(_CLOSED)
        return self.port

    def _check_held(self) -> None:
        if self.state is not RecorderState.OPENED:
            raise NotHeld(f"{self.path} is not open; open it exclusively first")

    def _adjustable(self) -> RecorderFeatures:
        features = self.features
        if not features.has_properties:
            raise NoProperties(f"{self.path} has no properties")
        return features


_CLOSED = "the recorder's mastering session is closed; open one and enumerate its recorders"


def _pnp_parts(who: RecorderIdentity) -> tuple[tuple[str, str], ...]:
    return ("VEN", who.vendor), ("PROD", who.product), ("REV", who.revision)


def _whole(speed: float | None) -> int:
    return FASTEST if speed is None else max(1, int(speed))


def _set_speed(chosen: RecorderSettings, value: int, features: RecorderFeatures) -> None:
    if value != FASTEST and value < 1:
        raise BadProperty(f"WriteSpeed {value} is neither a multiple of 1x nor {FASTEST} for the fastest")
    largest = _whole(features.max_speed)
    chosen.write_speed = min(value, largest) if largest != FASTEST else value


def _set_gap(chosen: RecorderSettings, value: int, _: RecorderFeatures) -> None:
    if not 0 <= value <= LARGEST_GAP:
        raise BadProperty(f"AudioGapSize {value} is outside 0 to {LARGEST_GAP} blocks")
    chosen.audio_gap = value


def _set_guard(chosen: RecorderSettings, value: int, _: RecorderFeatures) -> None:
    if value not in {-1, 0, 1}:
        raise BadProperty(f"EnableBufferUnderrunFree {value} is none of -1 (if the drive can), 0 (off) and 1 (on)")
    chosen.guard_underrun = value


_SETTERS: dict[str, Callable[[RecorderSettings, int, RecorderFeatures], None]] = {
    "WriteSpeed": _set_speed,
    "AudioGapSize": _set_gap,
    "EnableBufferUnderrunFree": _set_guard,
}
