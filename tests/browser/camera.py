"""A camera for tests: what stands on a screen or on paper is read by an independent program, or shown to Chromium's camera."""

import base64
import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright

from tests.browser.conftest import CHROMIUM, QUIET, Visitor
from tests.browser.live import Live

needs_zbar = pytest.mark.skipif(shutil.which("zbarimg") is None, reason="zbarimg is not installed")
needs_poppler = pytest.mark.skipif(shutil.which("pdftoppm") is None, reason="pdftoppm is not installed")

FRAMES = 6
"""Pictures in a film. Chromium plays them over and over."""
FRAME_BYTES = 400_000
"""Of each picture, with what fills it up."""
_SCENE = """<body style="margin:0;background:#6b6258;overflow:hidden"><img id="code" src="data:image/png;base64,{picture}"
 style="position:absolute;left:50%;top:50%;width:{size}px;padding:20px;background:#fff;filter:blur(.7px) brightness(.92)">"""
_MOVE = """n => document.getElementById('code').style.transform =
  `translate(calc(-50% + ${6 * Math.sin(n)}px), calc(-50% + ${4 * Math.cos(n)}px)) rotate(${4 + n / 2}deg)`"""


def codes_in(picture: bytes) -> list[str]:
    """What every code in a picture says, as zbar reads it."""
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        file.write(picture)
        file.flush()
        run = subprocess.run(["zbarimg", "--quiet", "--raw", file.name], capture_output=True, text=True, check=False)
    return run.stdout.split()


def code_in(picture: bytes) -> str:
    """What the one code in a picture says."""
    [text] = codes_in(picture)
    return text


def sheets_of(page: Page, *, dpi: int = 150) -> list[bytes]:
    """The page as a printer puts it on paper, one picture for each sheet."""
    with tempfile.TemporaryDirectory() as folder:
        paper = Path(folder) / "paper.pdf"
        # A click returns before the next page is there; on a busy machine an empty sheet would be printed.
        page.wait_for_selector(".sheet, .pb")
        page.wait_for_load_state("load")
        page.pdf(path=str(paper), prefer_css_page_size=True)
        subprocess.run(["pdftoppm", "-r", str(dpi), "-png", str(paper), f"{folder}/sheet"], check=True)
        return [file.read_bytes() for file in sorted(Path(folder).glob("sheet*.png"))]


def keep(picture: bytes, name: str) -> None:
    """Keep a picture for people to look at, beside the screenshots."""
    file = Path("var/shots") / f"{name}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(picture)


class Camera:
    """A browser whose camera films what it was shown last, slightly askew, blurred and unsteady, as hands hold a phone.

    A page whose camera is open sees at once what is shown.
    """

    def __init__(self, studio: Browser, film: Path) -> None:
        self._studio, self._film = studio, film

    def show(self, picture: bytes, *, size: int = 360) -> None:
        """Hold this picture in front of the camera."""
        page = self._studio.new_page(viewport={"width": 1280, "height": 720})
        try:
            page.set_content(_SCENE.format(picture=base64.b64encode(picture).decode(), size=size))
            frames = []
            for number in range(FRAMES):
                page.evaluate(_MOVE, number)
                frames.append(page.screenshot(type="jpeg", quality=90))
        finally:
            page.close()
        # The browser has the film mapped into its memory and plays on: it must neither become shorter nor another file, and the
        # pictures of the new one begin where those of the old one did.
        with self._film.open("r+b" if self._film.exists() else "wb") as film:
            film.write(b"".join(_filled(frame) for frame in frames))


def _filled(frame: bytes) -> bytes:
    """The same JPEG, with comments that nobody reads, as long as all others."""
    rest, comments = FRAME_BYTES - len(frame), b""
    assert rest >= 4, len(frame)
    while rest:
        length = min(rest, 60_000) if rest - 60_000 >= 4 or rest <= 60_000 else rest - 4
        comments += b"\xff\xfe" + (length - 2).to_bytes(2, "big") + bytes(length - 4)
        rest -= length
    return frame[:2] + comments + frame[2:]


@contextlib.contextmanager
def filming(playwright: Playwright, studio: Browser, live: Live, folder: Path) -> Iterator[tuple[Camera, Visitor]]:
    """A second browser with a camera; at the end nothing may have gone wrong in it unseen."""
    film = folder / "film.mjpeg"
    camera = Camera(studio, film)
    camera.show(b"")
    browser = playwright.chromium.launch(
        executable_path=CHROMIUM,
        args=[
            *QUIET,
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={film}",
        ],
    )
    visitor = Visitor(browser, live)
    try:
        yield camera, visitor
    finally:
        visitor.close()
        browser.close()
    assert visitor.troubles == []
