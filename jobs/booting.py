"""Boot images as they are ordered: words for what El Torito numbers, kept in the manifest's head."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from jobs.errors import InvalidImage, SourceChanged
from jobs.manifest import Entry, Manifest
from jobs.mastering.boot import BootImage, Emulation, Platform, boot_faults, partition_type_of
from jobs.ordering import Boot
from jobs.roots import shown

PLATFORMS = {"x86": Platform.X86, "efi": Platform.EFI, "powerpc": Platform.POWERPC, "mac": Platform.MAC}
EMULATIONS = {
    "none": Emulation.NONE,
    "floppy-1.2": Emulation.FLOPPY_1200,
    "floppy-1.44": Emulation.FLOPPY_1440,
    "floppy-2.88": Emulation.FLOPPY_2880,
    "hard-disk": Emulation.HARD_DISK,
}


@dataclass(frozen=True, slots=True)
class Booting:
    """The boot images of an order whose files are scanned, in the order of the catalogue."""

    boots: tuple[Boot, ...]
    entries: tuple[Entry, ...]

    def faults(self) -> list[str]:
        """Name everything that is wrong with them; of what can't be told yet nothing is said."""
        faults = [f"boot[{number}]: {fault}" for number, boot in enumerate(self.boots) for fault in self._faults(boot)]
        if faults or not self.boots:
            return faults
        try:
            return boot_faults(self._images(), self.entries)
        except (InvalidImage, SourceChanged, OSError) as error:
            return [str(error)]

    def _faults(self, boot: Boot) -> Iterator[str]:
        for what, word, words in (
            ("platform", boot.platform, PLATFORMS),
            ("emulation", boot.emulation, EMULATIONS),
        ):
            if word not in words:
                yield f"unknown {what} {word!r}; choose one of {', '.join(words)}"
        entry = self._entry(boot)
        if entry is None or entry.folder:
            yield f"{shown(boot.path)} is not a file of the disc; name its place there"

    def _entry(self, boot: Boot) -> Entry | None:
        return next((entry for entry in self.entries if entry.path == boot.path), None)

    def _images(self) -> list[BootImage]:
        by_place = {entry.path: entry for entry in self.entries}
        return [_image(boot, by_place[boot.path], _partition_type(boot, by_place[boot.path])) for boot in self.boots]

    def head(self) -> str:
        """Return what a manifest keeps of them; nothing where there are none."""
        if not self.boots:
            return ""
        rows = [
            {**asdict(boot), "partition_type": image.partition_type}
            for boot, image in zip(self.boots, self._images(), strict=True)
        ]
        return json.dumps({"boot": rows}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def boot_images(manifest: Manifest) -> tuple[BootImage, ...]:
    """Read the boot images that the head of a data disc's manifest tells of."""
    if not manifest.head:
        return ()
    rows: Sequence[dict[str, object]] = json.loads(manifest.head)["boot"]
    by_place = {entry.path: entry for entry in manifest.entries}
    return tuple(_read(row, by_place) for row in rows)


def _read(row: dict[str, object], by_place: dict[str, Entry]) -> BootImage:
    texts = {key: str(value) for key, value in row.items() if key != "partition_type"}
    boot = Boot(**texts)
    return _image(boot, by_place[boot.path], int(str(row["partition_type"])))


def _image(boot: Boot, content: Entry, partition_type: int) -> BootImage:
    return BootImage(content, PLATFORMS[boot.platform], EMULATIONS[boot.emulation], boot.manufacturer, partition_type)


def _partition_type(boot: Boot, content: Entry) -> int:
    """Read the type of an emulated hard disk's partition; 0 for everything else."""
    is_disk = EMULATIONS[boot.emulation] is Emulation.HARD_DISK
    return partition_type_of(content) if is_disk else 0
