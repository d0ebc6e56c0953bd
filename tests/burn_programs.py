"""Burn programs as they are called on a modelled drive, and what is looked at afterwards."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from jobs.mastering.medium import AUDIO_BLOCK, BLOCK, MediumInfo
from tests.scsi_rig import NODE, Ran, ScsiRig

XORRISO = ("xorriso", "-report_about", "UPDATE", "-pkt_output", "on", "-as", "cdrecord", "-v", f"dev={NODE}")
CDRSKIN = ("cdrskin", "-v", f"dev={NODE}")
WODIM = ("wodim", "-v", f"dev={NODE}", "gracetime=2")
CDRDAO = ("--device", NODE, "--driver", "generic-mmc:0x10")
OPTIONS = ("fs=1m", "padsize=0", "-sao")
#: Blocks of an image; no whole number of ECC blocks, so that the programs' padding can be told from it.
BLOCKS = 1001
#: Blocks of index 1 of each track, and of the lead-out; track 2 has a pregap of two seconds in the image.
STARTS, LEAD_OUT, PREGAP_OF_2 = (0, 675, 1162), 1562, 525
MCN, ISRC = "0724354526824", "GBAYE0000351"
CUE = f"""CATALOG {MCN}
TITLE "Bench Album"
PERFORMER "The Lab"
FILE "disc.bin" BINARY
  TRACK 01 AUDIO
    TITLE "First"
    ISRC {ISRC}
    INDEX 01 00:00:00
  TRACK 02 AUDIO
    TITLE "Zw\u00f6lf"
    FLAGS DCP
    INDEX 00 00:07:00
    INDEX 01 00:09:00
  TRACK 03 AUDIO
    TITLE "Third"
    INDEX 01 00:15:37
"""
TOC = f"""CD_DA
CATALOG "{MCN}"
CD_TEXT {{
  LANGUAGE_MAP {{ 0 : EN }}
  LANGUAGE 0 {{ TITLE "Bench Album" PERFORMER "The Lab" }}
}}
TRACK AUDIO
ISRC "{ISRC}"
CD_TEXT {{ LANGUAGE 0 {{ TITLE "First" PERFORMER "" }} }}
FILE "disc.bin" 0 00:07:00
TRACK AUDIO
COPY
CD_TEXT {{ LANGUAGE 0 {{ TITLE "Zw\\366lf" PERFORMER "" }} }}
FILE "disc.bin" 00:07:00 00:08:37
START 00:02:00
TRACK AUDIO
CD_TEXT {{ LANGUAGE 0 {{ TITLE "Third" PERFORMER "" }} }}
FILE "disc.bin" 00:15:37 00:05:25
"""


def an_album(folder: Path) -> bytes:
    """Put the samples of three tracks into a folder, and the sheets that tell of them."""
    data = hashlib.shake_128(b"audio").digest(LEAD_OUT * AUDIO_BLOCK)
    (folder / "disc.bin").write_bytes(data)
    (folder / "disc.cue").write_text(CUE, encoding="latin-1")
    (folder / "disc.toc").write_text(TOC)
    return data


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
