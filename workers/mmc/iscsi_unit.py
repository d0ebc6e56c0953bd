"""A modelled drive as the one logical unit of a target: what a target answers for it (SPC-4 6.33, SAM-5 4.7)."""

import struct

from workers.mmc.drive import Drive, Reply
from workers.mmc.refusals import BAD_FIELD, NO_SUCH_UNIT, fixed_sense

_INQUIRY, _REQUEST_SENSE, _REPORT_LUNS = 0x12, 0x03, 0xA0
#: Of a unit that is not there and can't be: peripheral qualifier 3, device type 1Fh (SPC-4 table 145).
_NO_UNIT = bytes([0x7F, 0, 5, 2, 31]).ljust(36, b"\0")


def execute(drive: Drive, lun: bytes, cdb: bytes, data: bytes) -> Reply:
    """Carry out a command at a logical unit; only unit 0 is there.

    Raises:
        Unplugged: the drive is not there.
    """
    if cdb[0] == _REPORT_LUNS:
        return Reply(struct.pack(">Ixxxx8s", 8, bytes(8)))
    if is_unit_0(lun):
        return drive.execute(cdb, data)
    if cdb[0] == _INQUIRY:
        return Reply(sense=BAD_FIELD) if cdb[1] & 1 else Reply(_NO_UNIT)
    if cdb[0] == _REQUEST_SENSE:
        return Reply(fixed_sense(NO_SUCH_UNIT))
    return Reply(sense=NO_SUCH_UNIT)


def is_unit_0(lun: bytes) -> bool:
    """Say whether it is unit 0 that is addressed, in whichever way (SAM-5 4.7.5)."""
    return not lun[0] & 0x3F and not any(lun[1:])
