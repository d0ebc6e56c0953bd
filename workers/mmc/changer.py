"""A modelled media changer: slots, modelled drives, an arm that carries one disc at a time (SMC-3)."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from workers.mmc.drive import Drive, Reply
from workers.mmc.mechanism import Body, Unplugged
from workers.mmc.medium import Medium
from workers.mmc.refusals import (
    ARM_ERROR,
    BAD_FIELD,
    DESTINATION_FULL,
    EJECT_FAILED,
    LOCKED,
    NO_SUCH_ELEMENT,
    SOURCE_EMPTY,
    UNKNOWN,
    Refused,
    some,
)

_VENDOR, _PRODUCT, _REVISION = b"DISCMILL", b"SMC CHANGER     ", b"1.0 "
#: Where each kind of element begins; changers choose that freely.
_ARM, _PORTS, _DRIVES, _SLOTS = 0x0000, 0x0010, 0x0100, 0x1000
#: Codes of the kinds (SMC-3 table 9).
_TRANSPORT, _STORAGE, _PORT, _TRANSFER = 1, 2, 3, 4
_ADDRESS_PAGE = 0x1D
_TAG = 36  #: bytes of a volume tag
#: Commands that a unit attention does not delay (SPC-4 5.14).
_UNDELAYED = {0x03, 0x12}


class Mishap(StrEnum):
    """What happens to the next moves, until another script."""

    MOVE_ERROR = "move-error"  #: the arm does not get there; the disc stays where it was (4/15/01)
    STUCK = "stuck"  #: the disc stays in the arm (4/15/01)
    HANG = "hang"  #: the move is made, and the command does not return until the trouble is cleared


@dataclass(slots=True)
class Place:
    """An element that holds a disc or none: a slot, a port, the arm."""

    kind: int
    address: int
    disc: Medium | None = None
    tag: str = ""


@dataclass(slots=True)
class Bay:
    """The element that a drive is. `source` is the address its disc came from."""

    drive: Drive
    address: int
    source: int | None = None
    kind: int = _TRANSFER
    tag: str = ""

    @property
    def disc(self) -> Medium | None:
        """The disc in the drive, or on its open tray."""
        return self.drive.mechanism.loaded


@dataclass(slots=True)
class Contents:
    """All elements. Slots and ports are numbered as `mtx` does, from 1, ports last."""

    slots: list[Place]
    ports: list[Place]
    bays: list[Bay]
    arm: Place = field(default_factory=lambda: Place(_TRANSPORT, _ARM))

    @property
    def all(self) -> list[Place | Bay]:
        """Every element, in the order of their kinds' codes."""
        return [self.arm, *self.slots, *self.ports, *self.bays]


class Changer:
    """A changer around drives. `history` are its commands; each move goes through the arm."""

    def __init__(self, serial: str, drives: Sequence[Drive], slots: int, ports: int = 0) -> None:
        self.serial = serial
        self.mechanism = Body[Mishap]()
        self.history: list[bytes] = []
        self.contents = Contents(
            [Place(_STORAGE, _SLOTS + number) for number in range(slots)],
            [Place(_PORT, _PORTS + number) for number in range(ports)],
            [Bay(drive, _DRIVES + number) for number, drive in enumerate(drives)],
        )

    # By hand.

    def place(self, slot: int) -> Place:
        """Return a slot or port by its number."""
        return [*self.contents.slots, *self.contents.ports][slot - 1]

    def put(self, slot: int, disc: Medium | None, tag: str = "") -> Medium | None:
        """Put a disc into a slot, or nothing; return what was in."""
        with self.mechanism.held():
            place = self.place(slot)
            before, place.disc, place.tag = place.disc, disc, tag
            return before

    # By command.

    def execute(self, cdb: bytes, data: bytes = b"") -> Reply:  # noqa: ARG002  (nothing is ever sent to a changer)
        """Carry out a command.

        Raises:
            Unplugged: the changer is not there.
        """
        with self.mechanism.held():
            return self._execute(bytes(cdb).ljust(12, b"\0"))

    def _execute(self, cdb: bytes) -> Reply:
        if not self.mechanism.is_plugged:
            raise Unplugged
        self.history.append(cdb)
        if self.mechanism.attentions and cdb[0] not in _UNDELAYED:
            return Reply(sense=self.mechanism.attentions.pop(0))
        command = self._commands.get(cdb[0])
        if command is None:
            return Reply(sense=UNKNOWN)
        try:
            return Reply(command(cdb) or b"")
        except Refused as refusal:
            return Reply(sense=refusal.sense)

    @property
    def _commands(self) -> dict[int, Callable[[bytes], bytes | None]]:
        return {
            0x00: _accept,
            0x03: lambda _: bytes([0x70, 0, 0, 0, 0, 0, 0, 10, *bytes(10)]),
            0x07: _accept,
            0x12: self._inquiry,
            0x1A: lambda cdb: b"\x17\0\0\0" + self._addresses(cdb),
            0x1E: self._prevent_removal,
            0x5A: lambda cdb: b"\0\x1a\0\0\0\0\0\0" + self._addresses(cdb),
            0xA5: self._move,
            0xB8: self._status,
        }

    def _inquiry(self, cdb: bytes) -> bytes:
        serial = self.serial.encode()
        pages = {0x00: bytes([8, 0, 0, 2, 0x00, 0x80]), 0x80: bytes([8, 0x80, 0, len(serial)]) + serial}
        if cdb[1] & 1:
            return some(pages.get(cdb[2]))
        return struct.pack(">BBBBBxxx8s16s4s", 8, 0x80, 5, 2, 31, _VENDOR, _PRODUCT, _REVISION)

    def _addresses(self, cdb: bytes) -> bytes:
        """Say which elements there are (SMC-3 7.3.4)."""
        if cdb[2] & 0x3F != _ADDRESS_PAGE:
            raise Refused(BAD_FIELD)
        counted = [(_ARM, 1), (_SLOTS, len(self.contents.slots)), (_PORTS, len(self.contents.ports))]
        counted.append((_DRIVES, len(self.contents.bays)))
        return struct.pack(">BB8Hxx", _ADDRESS_PAGE, 18, *(number for pair in counted for number in pair))

    def _prevent_removal(self, cdb: bytes) -> None:
        self.mechanism.is_locked = bool(cdb[4] & 1)

    def _status(self, cdb: bytes) -> bytes:
        """Tell of elements, in pages by their kinds (SMC-3 6.11)."""
        kind, tags, identify = cdb[1] & 0xF, bool(cdb[1] & 0x10), bool(cdb[6] & 1)
        first, count = int.from_bytes(cdb[2:4], "big"), int.from_bytes(cdb[4:6], "big")
        asked = [one for one in self.contents.all if kind in {0, one.kind} and one.address >= first][:count]
        pages = b""
        for code in (_TRANSPORT, _STORAGE, _PORT, _TRANSFER):
            told = [_descriptor(one, tags=tags, identify=identify) for one in asked if one.kind == code]
            if told:
                size = sum(map(len, told))
                pages += struct.pack(">BBHx", code, tags << 7, len(told[0])) + size.to_bytes(3, "big") + b"".join(told)
        lowest = min((one.address for one in asked), default=0)
        header = struct.pack(">HHx", lowest, len(asked)) + len(pages).to_bytes(3, "big")
        return (header + pages)[: int.from_bytes(cdb[7:10], "big")]

    def _move(self, cdb: bytes) -> None:
        """Carry a disc (SMC-3 6.6)."""
        source = self._element(int.from_bytes(cdb[4:6], "big"))
        to = self._element(int.from_bytes(cdb[6:8], "big"))
        if source.disc is None:
            raise Refused(SOURCE_EMPTY)
        if to.disc is not None:
            raise Refused(DESTINATION_FULL)
        for bay in (one for one in (source, to) if isinstance(one, Bay)):
            _check_open(bay)
        if Mishap.MOVE_ERROR in self.mechanism.faults or self.contents.arm.disc is not None:
            raise Refused(ARM_ERROR)
        tag = source.tag
        disc = _take(source)
        if Mishap.STUCK in self.mechanism.faults:
            self.contents.arm.disc = disc
            raise Refused(ARM_ERROR)
        _lay(to, disc, source, tag)
        self.mechanism.hang_while(lambda: Mishap.HANG in self.mechanism.faults)

    def _element(self, address: int) -> Place | Bay:
        found = next((one for one in self.contents.all if one.address == address), None)
        if found is None:
            raise Refused(NO_SUCH_ELEMENT)
        return found


def _check_open(bay: Bay) -> None:
    """Refuse to reach into a drive whose tray is in."""
    mechanism = bay.drive.mechanism
    with mechanism.held():
        if mechanism.is_locked:
            raise Refused(LOCKED)
        if not mechanism.is_open:
            raise Refused(EJECT_FAILED)


def _take(source: Place | Bay) -> Medium:
    disc = source.disc
    if disc is None:
        raise Refused(SOURCE_EMPTY)
    if isinstance(source, Bay):
        with source.drive.mechanism.held():
            source.drive.mechanism.loaded = None
        source.source = None
    else:
        source.disc = None
    source.tag = ""
    return disc


def _lay(to: Place | Bay, disc: Medium, source: Place | Bay, tag: str) -> None:
    if isinstance(to, Bay):
        with to.drive.mechanism.held():
            to.drive.mechanism.loaded = disc
        to.source = source.address
    else:
        to.disc = disc
    to.tag = tag


def _descriptor(one: Place | Bay, *, tags: bool, identify: bool) -> bytes:
    """Tell of one element (SMC-3 tables 25 to 28): full, can be reached; of a drive, where its disc is from."""
    reachable = not isinstance(one, Bay) or one.drive.mechanism.is_open or one.disc is None
    flags = (one.disc is not None) | (one.kind != _TRANSPORT and reachable) << 3
    if one.kind == _PORT:
        flags |= 0x30
    source = one.source if isinstance(one, Bay) else None
    head = struct.pack(">HBxBBxxxBH", one.address, flags, 0, 0, (source is not None) << 7, source or 0)
    tag = one.tag.encode().ljust(_TAG - 4).ljust(_TAG, b"\0") if tags and one.tag else bytes(_TAG) if tags else b""
    name = one.drive.serial.encode() if isinstance(one, Bay) and identify else b""
    return head + tag + struct.pack(">BBxB", 2 if name else 0, 0, len(name)) + name


def _accept(_: bytes) -> None:
    """Do what changes nothing here."""
