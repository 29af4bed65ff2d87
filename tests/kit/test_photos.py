"""A photo is kept as a small JPEG with nothing in it but the picture; everything else is refused by its own sentence."""

import asyncio
import io
import struct
import threading
import zlib

import anyio.to_thread
import pytest
from PIL import Image, ImageOps
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


@pytest.mark.parametrize("orientation", range(10))
def test_a_photo_is_turned_as_others_turn_it(orientation: int) -> None:
    given = saved(picture(40, 20).rotate(45), "PNG", exif=exif(orientation))
    kept = opened(redraw(given).content)
    theirs = opened(saved(ImageOps.exif_transpose(opened(given)), quality=82, optimize=True))
    assert (kept.size, kept.tobytes()) == (theirs.size, theirs.tobytes())


def test_odd_words_about_a_photo_do_not_spoil_it() -> None:
    """The latitude of a phone that writes no fractions: Pillow reads it and cannot write it again."""
    given = saved(picture(), exif=exif(6))
    latitude = b"\x00\x02\x00\x05\x00\x00\x00\x03"
    assert latitude in given
    given = given.replace(latitude, b"\x00\x02\x00\x07\x00\x00\x00\x03")
    assert redraw(given).width == 200


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


def jpeg_head(content: bytes, frame: int, width: int, height: int) -> bytes:
    """The same JPEG, whose head says another size."""
    at = content.index(bytes([0xFF, frame])) + 5
    return content[:at] + struct.pack(">HH", height, width) + content[at + 4 :]


def plain_scans(content: bytes) -> bytes:
    """The same JPEG, whose first scan says that the other colours come later."""
    at = content.index(b"\xff\xda")
    length = int.from_bytes(content[at + 2 : at + 4])
    return content[:at] + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" + content[at + 2 + length :]


def scans(content: bytes, many: int) -> bytes:
    """The same JPEG with its last scan so many times."""
    last, end = content.rindex(b"\xff\xda"), content.rindex(b"\xff\xd9")
    return content[:last] + content[last:end] * many + content[end:]


PROGRESSIVE = saved(picture(160, 80), progressive=True)
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
    "jpeg of 81 megapixels": (jpeg_head(saved(picture()), 0xC0, 9_000, 9_000), photos.PhotoTooManyPixels),
    "progressive of 30 megapixels": (jpeg_head(PROGRESSIVE, 0xC2, 6_000, 5_000), photos.PhotoTooManyPixels),
    "colour by colour of 30 megapixels": (
        plain_scans(jpeg_head(saved(picture()), 0xC0, 6_000, 5_000)),
        photos.PhotoTooManyPixels,
    ),
    "jpeg of a hundred scans and more": (scans(PROGRESSIVE, 101), photos.PhotoTooManyPixels),
    "jpeg of words alone": (b"\xff\xd8" + b"\xff\xe0\x00\x02" * 10_000 + saved(picture())[2:], photos.PhotoBroken),
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


def test_a_phones_two_pictures_in_one_file_are_a_photo() -> None:
    given = saved(picture(), "MPO", save_all=True, append_images=[picture(100, 50)], exif=exif(6))
    assert opened(given).format == "MPO"

    kept = redraw(given)

    found = opened(kept.content)
    assert (found.format, found.size) == ("JPEG", (200, 400))
    assert near(found.getpixel((10, 10)), RED)
    assert b"SECRETPHONE" not in kept.content


def test_what_stands_behind_the_picture_counts_for_nothing() -> None:
    film = b"\xff\xda\x00\x02" * 1_000
    assert redraw(saved(picture()) + film).width == 400
    small = scans(PROGRESSIVE, 20)
    assert redraw(small).width == 160


def test_a_large_photo_is_taken_and_read_at_a_fraction() -> None:
    assert redraw(saved(Image.new("RGB", (8_000, 5_000), RED))).width == 1_600


def test_a_narrow_photo_is_read_at_a_fraction_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its short side is below what is kept, which alone would have all of it decoded."""
    monkeypatch.setattr(photos, "DECODED_PIXELS_MAX", 8_000 * 500 // 4)
    kept = redraw(saved(Image.new("RGB", (8_000, 500), RED)))
    assert (kept.width, kept.height) == (1_600, 100)


async def test_two_are_drawn_at_once_and_the_others_wait_without_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who wait would else take every thread that the service has: here it has one, and two are drawn all the same."""
    monkeypatch.setattr(anyio.to_thread.current_default_thread_limiter(), "total_tokens", 1)
    now, most, lock = 0, 0, threading.Lock()
    both = threading.Barrier(2)

    def slow(content: bytes) -> photos.Photo:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        both.wait(30)
        with lock:
            now -= 1
        return photos.Photo(content, 1, 1)

    monkeypatch.setattr(photos, "redraw", slow)
    made = await asyncio.gather(*(photos.make_photo(b"x") for _ in range(6)))
    assert (len(made), most) == (6, 2)
