"""A modelled drive: takes commands and answers as MMC-6 says, or as badly as it is told to."""

import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass

from workers.mmc import answers
from workers.mmc.laser import Laser
from workers.mmc.mechanism import Mechanism, Unplugged
from workers.mmc.reading import read_cd, read_data
from workers.mmc.refusals import BAD_FIELD, LOCKED, NOT_FORMATTED, UNKNOWN, Refused, some
from workers.recorders.scsi_sense import Sense
from workers.recorders.throttle import Throttle

#: Commands that a unit attention does not delay (SPC-4 5.14; MMC-6 4.1.6).
_UNDELAYED = {0x03, 0x12, 0x46, 0x4A}
_WRITES = {0x2A, 0xAA}
#: Mode pages that are only told: error recovery, caching, audio control, power.
_PAGES = {0x01: bytes([0x01, 0x0A]) + bytes(10), 0x08: bytes([0x08, 0x0A]) + bytes(10)}
_PAGES |= {0x0E: bytes([0x0E, 0x0E]) + bytes(14), 0x1A: bytes([0x1A, 0x0A]) + bytes(10)}
_WRITE_PAGE, _CAPABILITIES, _ALL_PAGES = 0x05, 0x2A, 0x3F
_WRITE_PAGE_SIZE = 52


@dataclass(frozen=True, slots=True)
class Reply:
    """What a command gave: data, or the sense of a refusal."""

    data: bytes = b""
    sense: Sense | None = None


class Drive:
    """A drive. `rate` is bytes a second that it writes, None for as fast as they come; `history` are its commands."""

    def __init__(self, serial: str, rate: float | None = None) -> None:
        self.serial = serial
        self.mechanism = Mechanism()
        self.history: list[bytes] = []
        self._laser = Laser(self.mechanism)
        self._throttle = Throttle(rate, threading.Event().wait)
        self._write_page = bytes([_WRITE_PAGE, _WRITE_PAGE_SIZE - 2, 2, 4, 8]) + bytes(_WRITE_PAGE_SIZE - 5)
        self._commands = self._table()

    def execute(self, cdb: bytes, data: bytes = b"") -> Reply:
        """Carry out a command.

        Raises:
            Unplugged: the drive is not there.
        """
        with self.mechanism.held():
            reply = self._execute(bytes(cdb).ljust(12, b"\0"), data)
        if cdb[0] in _WRITES:
            self._throttle.pace(len(data))
        return reply

    def _execute(self, cdb: bytes, data: bytes) -> Reply:
        if not self.mechanism.is_plugged:
            raise Unplugged
        self.history.append(cdb)
        if self.mechanism.attentions and cdb[0] not in _UNDELAYED:
            return Reply(sense=self.mechanism.attentions.pop(0))
        command = self._commands.get(cdb[0])
        if command is None:
            return Reply(sense=UNKNOWN)
        try:
            return Reply(command(cdb, data) or b"")
        except Refused as refusal:
            return Reply(sense=refusal.sense)

    def _table(self) -> dict[int, Callable[[bytes, bytes], bytes | None]]:
        """List what the drive knows; everything else is refused."""
        mechanism, laser = self.mechanism, self._laser
        return {
            0x00: lambda *_: mechanism.check_ready(),
            0x03: lambda *_: bytes([0x70, 0, 0, 0, 0, 0, 0, 10, *bytes(10)]),
            0x04: lambda _, data: laser.format(data[8] >> 2 if len(data) >= 12 else 0),
            0x12: self._inquiry,
            0x1A: self._mode_sense_6,
            0x1B: self._start_stop,
            0x1E: self._prevent_removal,
            0x23: lambda *_: answers.formats(mechanism.medium),
            0x25: self._read_capacity,
            0x28: lambda cdb, _: self._read(cdb, 7, 9),
            0x2A: lambda cdb, data: laser.write(_signed(cdb), _number(cdb, 7, 9), data),
            0x2F: _accept,
            0x35: lambda *_: laser.synchronize(),
            0x42: self._read_subchannel,
            0x43: self._read_toc,
            0x46: self._get_configuration,
            0x4A: self._get_event,
            0x51: lambda *_: answers.disc_information(mechanism.medium),
            0x52: self._read_track_information,
            0x53: lambda cdb, _: laser.reserve(_number(cdb, 5, 9)),
            0x54: _accept,
            0x55: self._mode_select,
            0x5A: self._mode_sense_10,
            0x5B: lambda cdb, _: laser.close(cdb[2] & 7),
            0x5C: lambda *_: answers.buffer_capacity(),
            0x5D: lambda _, data: laser.take_cue_sheet(data),
            0xA1: lambda cdb, _: laser.blank(cdb[1] & 7),
            0xA8: lambda cdb, _: self._read(cdb, 6, 10),
            0xAA: lambda cdb, data: laser.write(_signed(cdb), _number(cdb, 6, 10), data),
            0xAC: lambda cdb, _: some(answers.performance(mechanism.present, cdb[10])),
            0xAD: lambda cdb, _: some(answers.structure(mechanism.medium, cdb[7], blu_ray=bool(cdb[1] & 0xF))),
            0xB6: _accept,
            0xBB: _accept,
            0xBE: lambda cdb, _: read_cd(mechanism, cdb),
        }

    def _inquiry(self, cdb: bytes, _: bytes) -> bytes:
        if not cdb[1] & 1:
            return answers.inquiry()
        pages = {0x00: answers.page_list(), 0x80: answers.serial_page(self.serial)}
        return some(pages.get(cdb[2]))

    def _get_configuration(self, cdb: bytes, _: bytes) -> bytes:
        return answers.configuration(self.mechanism.present, self.serial, cdb[1] & 3, _number(cdb, 2, 4))

    def _get_event(self, cdb: bytes, _: bytes) -> bytes:
        if not cdb[4] & 0x10:
            return struct.pack(">HBB", 2, 0x80, 0x10)
        mechanism = self.mechanism
        event, mechanism.event = mechanism.event, 0
        state = (mechanism.present is not None) << 1 | mechanism.is_open
        return struct.pack(">HBBBBxx", 6, 4, 0x10, event, state)

    def _start_stop(self, cdb: bytes, _: bytes) -> None:
        moves, start = bool(cdb[4] & 2), bool(cdb[4] & 1)
        if moves and not start and self.mechanism.is_locked:
            raise Refused(LOCKED)
        if moves:
            self.mechanism.move_tray(out=not start)

    def _prevent_removal(self, cdb: bytes, _: bytes) -> None:
        self.mechanism.is_locked = bool(cdb[4] & 1)

    def _page(self, code: int) -> bytes:
        pages = {
            **_PAGES,
            _WRITE_PAGE: self._write_page,
            _CAPABILITIES: answers.capabilities(self.mechanism.present),
        }
        if code == _ALL_PAGES:
            return b"".join(pages[page] for page in sorted(pages))
        return some(pages.get(code))

    def _mode_sense_10(self, cdb: bytes, _: bytes) -> bytes:
        page = self._page(cdb[2] & 0x3F)
        return struct.pack(">Hxxxxxx", len(page) + 6) + page

    def _mode_sense_6(self, cdb: bytes, _: bytes) -> bytes:
        page = self._page(cdb[2] & 0x3F)
        return struct.pack(">Bxxx", min(255, len(page) + 3)) + page

    def _mode_select(self, _: bytes, data: bytes) -> None:
        page = data[8 + _number(data, 6, 8) :]
        if page[:1] and page[0] & 0x3F == _WRITE_PAGE:
            self._write_page = page[:_WRITE_PAGE_SIZE].ljust(_WRITE_PAGE_SIZE, b"\0")
            self._laser.set_up(page)

    def _read(self, cdb: bytes, count: int, end: int) -> bytes:
        return read_data(self.mechanism, _number(cdb, 2, 6), _number(cdb, count, end))

    def _read_capacity(self, *_: bytes) -> bytes:
        medium = self.mechanism.medium
        if medium.is_overwritable and not medium.formatted:
            raise Refused(NOT_FORMATTED)
        return answers.capacity(medium)

    def _read_subchannel(self, cdb: bytes, _: bytes) -> bytes:
        medium = self.mechanism.medium
        if not medium.is_cd or cdb[3] not in {1, 2, 3}:
            raise Refused(BAD_FIELD)
        if cdb[3] == 3:
            return answers.isrc(medium, cdb[6])
        return answers.mcn(medium) if cdb[3] == 2 else answers.position(medium)

    def _read_toc(self, cdb: bytes, _: bytes) -> bytes:
        form = cdb[2] & 0xF or cdb[9] >> 6
        return some(answers.toc(self.mechanism.medium, form, as_time=bool(cdb[1] & 2), first=cdb[6]))

    def _read_track_information(self, cdb: bytes, _: bytes) -> bytes:
        medium, asked = self.mechanism.medium, _number(cdb, 2, 6)
        by_number = answers.track_information if cdb[1] & 3 else answers.track_of_block
        return some(by_number(medium, asked))


def _accept(*_: bytes) -> None:
    """Do what changes nothing here."""


def _number(data: bytes, at: int, end: int) -> int:
    return int.from_bytes(data[at:end], "big")


def _signed(cdb: bytes) -> int:
    return int.from_bytes(cdb[2:6], "big", signed=True)
