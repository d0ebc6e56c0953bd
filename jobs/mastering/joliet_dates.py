"""Dates as ISO 9660, Rock Ridge and UDF write them, in UTC; pycdlib would take the clock and the time zone."""

import time

from pycdlib.dates import DirectoryRecordDate, VolumeDescriptorDate
from pycdlib.dr import DirectoryRecord
from pycdlib.udf import UDFTimestamp


class Dates:
    """Makes each date once, however many entries share it. Arguments are seconds since 1970."""

    def __init__(self) -> None:
        self._records: dict[int, DirectoryRecordDate] = {}
        self._stamps: dict[int, UDFTimestamp] = {}

    def set(self, record: DirectoryRecord, seconds: int) -> None:
        """Date a directory record, and its Rock Ridge entry if it has one."""
        date = self._record(seconds)
        record.date = date
        if record.rock_ridge is None:
            return
        for entries in (record.rock_ridge.dr_entries, record.rock_ridge.ce_entries):
            if entries is not None and entries.tf_record is not None:
                times = entries.tf_record
                times.access_time = times.modification_time = times.attribute_change_time = date

    def _record(self, seconds: int) -> DirectoryRecordDate:
        date = self._records.get(seconds)
        if date is None:
            at = time.gmtime(seconds)
            date = DirectoryRecordDate.from_fields(at.tm_year - 1900, *at[1:6], 0)
            self._records[seconds] = date
        return date

    def stamp(self, seconds: int) -> UDFTimestamp:
        """Return the date of a UDF descriptor."""
        stamp = self._stamps.get(seconds)
        if stamp is None:
            stamp = UDFTimestamp()
            stamp.new(0)
            stamp.tz = 0
            stamp.year, stamp.month, stamp.day, stamp.hour, stamp.minute, stamp.second = time.gmtime(seconds)[:6]
            self._stamps[seconds] = stamp
        return stamp

    @staticmethod
    def volume(seconds: int) -> VolumeDescriptorDate:
        """Return the date of a volume descriptor: digits down to hundredths, then the zone."""
        date = VolumeDescriptorDate()
        date.parse(time.strftime("%Y%m%d%H%M%S00", time.gmtime(seconds)).encode() + b"\0")
        return date
