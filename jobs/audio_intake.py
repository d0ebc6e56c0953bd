"""Audio on its way into an order: sound files, a CUE sheet or a manifest, decoded into the store and laid out."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from jobs.audio import stage_audio
from jobs.audio_order import AudioOrder
from jobs.intake import Order, Progress, Taken
from jobs.laying_out import lay_out_for
from jobs.mastering.medium import Family, MediumKind
from jobs.store import ContentStore
from models.vocabulary import DiscFormat, Nonblank


@dataclass(frozen=True, slots=True)
class AudioIntake:
    """Tracks, laid out as an audio disc. Their samples always go into the store: nobody else has them."""

    order: Order
    scanned: AudioOrder

    def faults(self) -> list[str]:
        """Name everything that is wrong."""
        return [*self.scanned.faults, *self._option_faults()]

    def _option_faults(self) -> Iterator[str]:
        if self.order.options.nonblank is Nonblank.APPEND:
            yield "audio is not appended to a disc, which would play its first session only; order --nonblank reject"
        if self.order.content.volume_id:
            yield "an audio disc has no volume id; its title is what it is called"
        if not self._media:
            yield f"audio goes on CDs, and a {self.order.options.medium} is none; order --medium cd, cd-r or cd-rw"

    @property
    def _media(self) -> list[MediumKind | Family]:
        return [medium for medium in self.order.media if _is_cd(medium)]

    def take(self, progress: Progress) -> Taken:
        """Decode the tracks into the store and lay them out."""
        staged = stage_audio(
            self._titled(),
            self.order.roots,
            ContentStore(self.order.settings.store),
            lambda done, total: progress("decoding", done, total),
        )
        laid, medium = lay_out_for(self._media, staged.manifest, DiscFormat.REDBOOK, volume_id="")
        return Taken(laid, medium, self.order.named(staged.programme.text.title), staged.notes)

    def _titled(self) -> AudioOrder:
        """Let the order's title be the disc's, where its sheet or manifest has none."""
        text = self.scanned.text
        return replace(self.scanned, text=replace(text, title=text.title or self.order.content.title))


def _is_cd(medium: MediumKind | Family) -> bool:
    return (medium if isinstance(medium, Family) else medium.family) is Family.CD
