"""Photos as evidence: whatever a phone sends becomes a small JPEG of its own, with nothing in it but the picture.

Place, time, device, comment, colour profile and hidden thumbnails are left behind, because the picture is drawn anew on an empty
sheet; how the phone was held is applied. A file is opened only by the decoders named here, and not one pixel is decoded before it
is known how many there will be, and how often the decoder has to go over them.
"""

import io
import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final

import anyio.to_thread
from anyio import CapacityLimiter
from anyio.lowlevel import RunVar
from PIL import Image, UnidentifiedImageError

from service.kit.refusals import Invalid

MEDIA_TYPE: Final = "image/jpeg"
SIDE_MAX: Final = 1600
FILE_BYTES_MAX: Final = 12_000_000
"""A photo of a phone in full size is 3 to 8 MB."""
BODY_BYTES_MAX: Final = FILE_BYTES_MAX + 100_000
STORED_BYTES_MAX: Final = 2_000_000
FORMATS: Final = ("JPEG", "PNG", "WEBP")
"""What many phones call MPO, a JPEG with a second picture behind the first, is opened as a JPEG is."""
PIXELS_MAX: Final = 80_000_000
"""Of any picture: what is large is a JPEG, which is decoded at a fraction of its size."""
DECODED_PIXELS_MAX: Final = 25_000_000
"""In memory at once: of what cannot be decoded at a fraction, and of a JPEG whose every coefficient waits for its last scan."""
SCANS_MAX: Final = 100
"""A decoder goes over the whole picture once for each scan of a progressive JPEG. Encoders write about a dozen."""
ACCEPT: Final = "image/jpeg,image/png,image/webp"
_QUALITY = 82
_AT_ONCE = 2
_drawing: RunVar[CapacityLimiter] = RunVar("photos that are drawn")
_MARKER = re.compile(rb"\xff+([\xc0-\xcf\xd9-\xfe])")
"""What has words of its own behind it, or ends the picture. Restarts have none; a decoder looking for one steps over others."""
_MARKERS_MAX = 2_000
_END, _SCAN = 0xD9, 0xDA
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_ORIENTATION = 0x0112
_TURNS: Mapping[object, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""As Exif names how the phone was held. `ImageOps.exif_transpose` also writes the other words anew, and fails over odd ones."""
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, struct.error, zlib.error)
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
    """The photo that is kept, drawn away from the event loop. Raises a refusal for anything that is none.

    Two are drawn at once, whatever many phones send; who waits for them holds none of the threads that others need.
    """
    return await anyio.to_thread.run_sync(redraw, content, limiter=_limiter())


def _limiter() -> CapacityLimiter:
    try:
        return _drawing.get()
    except LookupError:
        limiter = CapacityLimiter(_AT_ONCE)
        _drawing.set(limiter)
        return limiter


def redraw(content: bytes) -> Photo:
    """The same, at once."""
    if not content:
        raise PhotoEmpty
    if len(content) > FILE_BYTES_MAX:
        raise PhotoTooLarge
    if content.startswith(b"\xff\xd8"):
        _check_scans(content)
    try:
        picture = Image.open(io.BytesIO(content), formats=list(FORMATS))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as problem:
        raise PhotoTooManyPixels from problem
    except UnidentifiedImageError as problem:
        raise NotAPhoto from problem
    except _BROKEN as problem:
        raise PhotoBroken from problem
    with picture:
        _check_size(picture.size, PIXELS_MAX)
        try:
            # A JPEG is read at an eighth, a quarter or a half where that is still large enough; the others know no such thing.
            picture.draft("RGB", _fitted(picture.size))
            _check_size(picture.size, DECODED_PIXELS_MAX)
            sheet = _on_a_sheet(picture)
        except _BROKEN as problem:
            raise PhotoBroken from problem
    out = io.BytesIO()
    sheet.save(out, "JPEG", quality=_QUALITY, optimize=True)
    return Photo(out.getvalue(), sheet.width, sheet.height)


def _check_size(size: tuple[int, int], pixels_max: int) -> None:
    if size[0] * size[1] > pixels_max:
        raise PhotoTooManyPixels


def _fitted(size: tuple[int, int]) -> tuple[int, int]:
    """As large as it is kept, rounded up, so that a long and narrow picture is read at a fraction as well."""
    longest = max(*size, SIDE_MAX)
    return -(-size[0] * SIDE_MAX // longest), -(-size[1] * SIDE_MAX // longest)


def _check_scans(content: bytes) -> None:
    """Refuse a JPEG that is built to be decoded for ever, or to be held in memory whole before a pixel of it is known.

    It is read as libjpeg reads it: to the end of the first picture, so that a film or a second picture behind it counts for
    nothing. Every coefficient is held when the file is progressive or its first scan has not all the colours.
    """
    at, scans, colours, size, is_progressive = 2, 0, 0, (0, 0), False
    for _ in range(_MARKERS_MAX):
        if not (found := _MARKER.search(content, at)) or found[1][0] == _END:
            return
        kind, at = found[1][0], found.end()
        body = content[at + 2 : at + 8]
        if kind in _FRAMES:
            size = int.from_bytes(body[3:5]), int.from_bytes(body[1:3])
            colours, is_progressive = int.from_bytes(body[5:]), kind in _PROGRESSIVE
        elif kind == _SCAN:
            scans += 1
            if scans == 1 and (is_progressive or int.from_bytes(body[:1]) < colours):
                _check_size(size, DECODED_PIXELS_MAX)
            if scans > SCANS_MAX:
                raise PhotoTooManyPixels
        at += max(int.from_bytes(content[at : at + 2]), 2)
    raise PhotoBroken


def _on_a_sheet(picture: Image.Image) -> Image.Image:
    """The picture alone, as it was held, at most 1600 pixels a side, on white where it is transparent."""
    picture.thumbnail((SIDE_MAX, SIDE_MAX), Image.Resampling.LANCZOS, reducing_gap=2.0)
    turn = _TURNS.get(picture.getexif().get(_ORIENTATION))
    held = picture if turn is None else picture.transpose(turn)
    drawn = held.convert("RGBA")
    sheet = Image.new("RGB", drawn.size, "white")
    sheet.paste(drawn, mask=drawn.getchannel("A"))
    return sheet
