"""Photos as evidence: whatever a phone sends becomes a small JPEG of its own, with nothing in it but the picture.

Place, time, device, comment, colour profile and hidden thumbnails are left behind, because the picture is drawn anew on an empty
sheet; how the phone was held is applied first. A file is opened only by the decoders named here, and not one pixel is decoded
before its size is known.
"""

import io
import struct
import threading
import zlib
from dataclasses import dataclass, field
from typing import ClassVar, Final

import anyio.to_thread
from PIL import Image, ImageOps, UnidentifiedImageError

from service.kit.refusals import Invalid

MEDIA_TYPE: Final = "image/jpeg"
SIDE_MAX: Final = 1600
FILE_BYTES_MAX: Final = 12_000_000
"""A photo of a phone in full size is 3 to 8 MB."""
BODY_BYTES_MAX: Final = FILE_BYTES_MAX + 100_000
STORED_BYTES_MAX: Final = 2_000_000
PIXELS_MAX: Final = {"JPEG": 80_000_000, "PNG": 25_000_000, "WEBP": 25_000_000}
"""A JPEG is decoded at a fraction of its size; the others need all of it in memory."""
ACCEPT: Final = "image/jpeg,image/png,image/webp"
_QUALITY = 82
_decoding = threading.BoundedSemaphore(2)
"""Pictures that are in memory at once, whatever many phones send."""
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, struct.error, zlib.error)
"""What Pillow's decoders raise over bytes that are not what they should be."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A JPEG made here: no side longer than 1600 pixels, no metadata."""

    content: bytes
    width: int
    height: int


@dataclass(eq=False)
class PhotoRefused(Invalid):
    """The file is no photo that we take. Its sentence says what to do."""

    problems: dict[str, str] = field(default_factory=dict, kw_only=True)


class PhotoEmpty(PhotoRefused):
    """A file without one byte."""

    code: ClassVar[str] = "kit.photo_empty"


class PhotoTooLarge(PhotoRefused):
    """More bytes than a phone's photo has."""

    code: ClassVar[str] = "kit.photo_too_large"


class PhotoTooManyPixels(PhotoRefused):
    """More pixels than a camera makes: a small file that was built to fill the memory."""

    code: ClassVar[str] = "kit.photo_too_many_pixels"


class NotAPhoto(PhotoRefused):
    """Neither JPEG nor PNG nor WebP, whatever its name says."""

    code: ClassVar[str] = "kit.not_a_photo"


class PhotoBroken(PhotoRefused):
    """It begins like a photo and cannot be read to the end."""

    code: ClassVar[str] = "kit.photo_broken"


async def make_photo(content: bytes) -> Photo:
    """The photo that is kept, drawn away from the event loop. Raises a refusal for anything that is none."""
    return await anyio.to_thread.run_sync(redraw, content)


def redraw(content: bytes) -> Photo:
    """The same, at once."""
    if not content:
        raise PhotoEmpty
    if len(content) > FILE_BYTES_MAX:
        raise PhotoTooLarge
    with _decoding:
        return _redrawn(content)


def _redrawn(content: bytes) -> Photo:
    try:
        picture = Image.open(io.BytesIO(content), formats=list(PIXELS_MAX))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as problem:
        raise PhotoTooManyPixels from problem
    except UnidentifiedImageError as problem:
        raise NotAPhoto from problem
    except _BROKEN as problem:
        raise PhotoBroken from problem
    with picture:
        width, height = picture.size
        if width * height > PIXELS_MAX[picture.format or "PNG"]:
            raise PhotoTooManyPixels
        try:
            # A JPEG is read at an eighth, a quarter or a half where that is still large enough; the others know no such thing.
            picture.draft("RGB", (SIDE_MAX, SIDE_MAX))
            sheet = _on_a_sheet(ImageOps.exif_transpose(picture))
        except _BROKEN as problem:
            raise PhotoBroken from problem
    out = io.BytesIO()
    sheet.save(out, "JPEG", quality=_QUALITY, optimize=True)
    return Photo(out.getvalue(), sheet.width, sheet.height)


def _on_a_sheet(picture: Image.Image) -> Image.Image:
    """The picture alone, at most 1600 pixels a side, on white where it is transparent."""
    picture.thumbnail((SIDE_MAX, SIDE_MAX), Image.Resampling.LANCZOS, reducing_gap=2.0)
    drawn = picture.convert("RGBA")
    sheet = Image.new("RGB", drawn.size, "white")
    sheet.paste(drawn, mask=drawn.getchannel("A"))
    return sheet
