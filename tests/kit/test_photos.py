"""A photo is kept as a small JPEG with nothing in it but the picture; everything else is refused by its own sentence."""

import io
import struct
import zlib

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from service.kit import photos
from service.kit.photos import redraw

RED, BLUE = (200, 30, 30), (30, 30, 200)


def picture(width: int = 400, height: int = 200) -> Image.Image:
    """Red on the left, blue on the right."""
    drawn = Image.new("RGB", (width, height), RED)
    drawn.paste(BLUE, (width // 2, 0, width, height))
    return drawn


def saved(drawn: Image.Image, kind: str = "JPEG", **how: object) -> bytes:
    out = io.BytesIO()
    drawn.save(out, kind, **how)
    return out.getvalue()


def exif(orientation: int = 1) -> Image.Exif:
    """What a phone writes: how it was held, who made it, and where it was, to the metre."""
    made = Image.Exif()
    made[0x0112] = orientation
    made[0x010F] = "SECRETPHONE"
    gps = made.get_ifd(0x8825)
    gps[1], gps[2] = "N", (34.0, 15.0, 54.5)
    gps[3], gps[4] = "E", (108.0, 57.0, 3.25)
    return made


def opened(content: bytes) -> Image.Image:
    drawn = Image.open(io.BytesIO(content))
    drawn.load()
    return drawn


def near(pixel: object, colour: tuple[int, int, int]) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(a - b) < 30 for a, b in zip(pixel, colour, strict=True))


def test_place_maker_and_comment_are_left_behind() -> None:
    given = saved(picture(), exif=exif(), comment=b"SECRETCOMMENT")
    assert b"SECRETPHONE" in given
    assert dict(opened(given).getexif().get_ifd(0x8825))

    kept = redraw(given)

    found = opened(kept.content)
    assert (found.format, found.size, (kept.width, kept.height)) == ("JPEG", (400, 200), (400, 200))
    assert dict(found.getexif()) == {}
    assert set(found.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert b"SECRET" not in kept.content
    assert b"Exif" not in kept.content


def test_text_and_profile_of_a_png_are_left_behind_and_clear_is_white() -> None:
    clear = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    words = PngInfo()
    words.add_text("where", "SECRETPLACE")
    kept = redraw(saved(clear, "PNG", pnginfo=words, icc_profile=b"SECRETPROFILE"))
    assert b"SECRET" not in kept.content
    assert near(opened(kept.content).getpixel((50, 50)), (255, 255, 255))


@pytest.mark.parametrize(
    ("orientation", "size", "first"),
    [(1, (400, 200), RED), (3, (400, 200), BLUE), (6, (200, 400), RED), (8, (200, 400), BLUE)],
)
def test_how_the_phone_was_held_is_applied(
    orientation: int, size: tuple[int, int], first: tuple[int, int, int]
) -> None:
    found = opened(redraw(saved(picture(), exif=exif(orientation))).content)
    assert found.size == size
    assert near(found.getpixel((10, 10)), first)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_no_side_is_longer_than_1600(kind: str) -> None:
    kept = redraw(saved(picture(4000, 3000), kind))
    assert (kept.width, kept.height) == (1600, 1200)
    assert len(kept.content) < photos.STORED_BYTES_MAX


@pytest.mark.parametrize("mode", ["L", "P", "LA", "CMYK", "1"])
def test_every_kind_of_colour_is_taken(mode: str) -> None:
    kind = "JPEG" if mode == "CMYK" else "PNG"
    assert opened(redraw(saved(picture().convert(mode), kind)).content).mode == "RGB"


def bomb(side: int) -> bytes:
    """A PNG whose head says so many pixels, in a few bytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    )


SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
REFUSED = {
    "empty": (b"", photos.PhotoEmpty),
    "bomb": (bomb(6_000), photos.PhotoTooManyPixels),
    "bomb that Pillow warns of": (bomb(10_000), photos.PhotoTooManyPixels),
    "bomb that Pillow refuses": (bomb(60_000), photos.PhotoTooManyPixels),
    "text": ("不是照片，只是改了名字".encode(), photos.NotAPhoto),
    "svg": (SVG, photos.NotAPhoto),
    "gif": (saved(picture(), "GIF"), photos.NotAPhoto),
    "pdf": (b"%PDF-1.7\n", photos.NotAPhoto),
    "heic": (b"\0\0\0\x18ftypheic" + b"\0" * 40, photos.NotAPhoto),
    "cut jpeg": (saved(picture(1200, 900))[:-3000], photos.PhotoBroken),
    "cut png": (saved(picture(), "PNG")[:-200], photos.PhotoBroken),
    "cut webp": (saved(picture(), "WEBP")[:60], photos.PhotoBroken),
    "jpeg of a head alone": (saved(picture())[:20], photos.PhotoRefused),
    "huge": (b"\xff\xd8\xff" + b"\0" * photos.FILE_BYTES_MAX, photos.PhotoTooLarge),
}


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_photo_is_refused(name: str) -> None:
    content, refusal = REFUSED[name]
    with pytest.raises(refusal):
        redraw(content)


def test_a_photo_of_noise_still_fits_into_its_column() -> None:
    noise = Image.effect_noise((1600, 1600), 200).convert("RGB")
    assert len(redraw(saved(noise, "PNG")).content) < photos.STORED_BYTES_MAX
