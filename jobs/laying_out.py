# ruff: noqa: PLC0415  (what few images need is imported by them: an image of plain files is begun at once)
"""From a manifest to an image: laid out by its format, for the first medium that holds it. No database is needed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.errors import DiscFull
from jobs.manifest import Manifest
from jobs.mastering.image import ExtentMap, as_it_is
from jobs.mastering.joliet import LayoutOptions, layout
from jobs.mastering.medium import AUDIO_BLOCK, BLOCK, Family, MediumKind, largest
from jobs.mastering.previous_session import PreviousSession
from models.vocabulary import DiscFormat

if TYPE_CHECKING:
    from jobs.mastering.boot import BootImage
    from jobs.mastering.programme import Programme


@dataclass(frozen=True, slots=True)
class LaidOut:
    """A manifest, how it was laid out, and the image that came of it."""

    manifest: Manifest
    format: DiscFormat
    options: LayoutOptions
    image: ExtentMap
    programme: "Programme | None" = None  #: of audio: its tracks, and what the disc tells of them
    previous: PreviousSession | None = None  #: the session that it follows on a disc, if it does

    @property
    def key(self) -> str:
        """The name of the master in the store: all that decides its bytes, and what the disc tells besides."""
        from jobs.mastering.masters import master_key
        from jobs.mastering.redbook import AUDIO_LAYOUT_VERSION

        how = str(AUDIO_LAYOUT_VERSION) if self.format is DiscFormat.REDBOOK else self.options.canonical
        behind = "" if self.previous is None else f" {self.previous.canonical}"
        return master_key(self.manifest.sha256, f"{self.format} {how}{behind}")


def lay_out(manifest: Manifest, disc_format: DiscFormat, options: LayoutOptions) -> LaidOut:
    """Lay a manifest out: a data tree by its options, tracks by their programme, a ready-made image as it is."""
    match disc_format:
        case DiscFormat.IMAGE:
            return LaidOut(manifest, disc_format, options, as_it_is(manifest))
        case DiscFormat.REDBOOK:
            from jobs.mastering.redbook import layout_audio

            return LaidOut(manifest, disc_format, options, *layout_audio(manifest))
        case _:
            return LaidOut(manifest, disc_format, options, layout(manifest, options))


def lay_out_session(manifest: Manifest, options: LayoutOptions, previous: PreviousSession) -> LaidOut:
    """Lay a data tree out as the session that follows another one, whose files it shows as well."""
    image = layout(manifest, options, previous=previous)
    return LaidOut(manifest, DiscFormat.JOLIET, options, image, previous=previous)


def lay_out_for(
    media: Sequence[MediumKind | Family], manifest: Manifest, disc_format: DiscFormat, volume_id: str
) -> tuple[LaidOut, MediumKind | Family]:
    """Lay out for the first of several media that holds the image, since families differ in their padding.

    Raises:
        DiscFull: none does.
    """
    block_size = AUDIO_BLOCK if disc_format is DiscFormat.REDBOOK else BLOCK
    for medium in media:
        limit = largest(medium)
        if manifest.bytes > limit * block_size:
            continue  # not even the content alone fits
        family = medium if isinstance(medium, Family) else medium.family
        boot = boot_images_of(manifest, disc_format)
        laid = lay_out(manifest, disc_format, LayoutOptions(family=family, volume_id=volume_id, boot=boot))
        if laid.image.blocks <= limit:
            return laid, medium
    raise DiscFull(_too_much(manifest.bytes, media[-1], disc_format))


def boot_images_of(manifest: Manifest, disc_format: DiscFormat) -> "tuple[BootImage, ...]":
    """Return the boot images that a manifest's head tells of."""
    if disc_format is not DiscFormat.JOLIET or not manifest.head:
        return ()
    from jobs.booting import boot_images

    return boot_images(manifest)


def _too_much(size: int, medium: MediumKind | Family, disc_format: DiscFormat) -> str:
    room = largest(medium)
    if disc_format is DiscFormat.REDBOOK:
        lengths = f"{_minutes(-(-size // AUDIO_BLOCK))} of sound do not fit on a {medium}: it holds {_minutes(room)}"
        return f"{lengths}; leave some out"
    sizes = f"{size:,} bytes of content do not fit on a {medium}: it holds {room * BLOCK:,} bytes"
    return f"{sizes}; leave some out, or choose another medium"


def _minutes(blocks: int) -> str:
    """Write a length as audio people do: minutes, seconds, and blocks of 1/75 second."""
    return f"{blocks // 4500}:{blocks // 75 % 60:02d}.{blocks % 75:02d}"
