"""Burn programs as they are called on a modelled drive, and what is looked at afterwards."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from jobs.mastering.medium import BLOCK, MediumInfo
from tests.scsi_rig import NODE, Ran, ScsiRig

XORRISO = ("xorriso", "-report_about", "UPDATE", "-pkt_output", "on", "-as", "cdrecord", "-v", f"dev={NODE}")
CDRSKIN = ("cdrskin", "-v", f"dev={NODE}")
WODIM = ("wodim", "-v", f"dev={NODE}", "gracetime=2")
CDRDAO = ("--device", NODE, "--driver", "generic-mmc:0x10")
OPTIONS = ("fs=1m", "padsize=0", "-sao")
#: Blocks of an image; no whole number of ECC blocks, so that the programs' padding can be told from it.
BLOCKS = 1001


def an_image(folder: Path, seed: bytes = b"image", blocks: int = BLOCKS) -> bytes:
    data = hashlib.shake_128(seed).digest(blocks * BLOCK)
    (folder / "image.iso").write_bytes(data)
    return data


def xorriso(rig: ScsiRig, *options: str) -> Ran:
    return rig.run(*XORRISO, *OPTIONS, *options, "image.iso")


def cdrskin(rig: ScsiRig, *options: str) -> Ran:
    return rig.run(*CDRSKIN, *OPTIONS, *options, "image.iso")


def tray(rig: ScsiRig) -> MediumInfo:
    medium = rig.scsi.medium()
    assert medium is not None
    return medium


@dataclass(frozen=True, slots=True)
class Burnt:
    """How a burn went, what the drive said of the medium afterwards, and whether the image is on it."""

    ran: Ran
    medium: MediumInfo
    is_there: bool


def look(rig: ScsiRig, ran: Ran, image: bytes) -> Burnt:
    """Look at what a burn left; a disc that can't be read does not have the image."""
    medium = tray(rig)
    is_there = ran.code == 0 and rig.read(len(image), medium.last_session) == image
    return Burnt(ran, medium, is_there)
