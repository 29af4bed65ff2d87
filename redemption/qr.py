"""The one QR maker: small, crisp SVG for screens and paper."""

from __future__ import annotations

from html import escape
from itertools import groupby
from typing import Final, Literal

import qrcode

QUIET_MODULES: Final = 4
MASK: Final = 3
"""Fixed: the search over eight masks takes two thirds of the time and loses nothing a camera would notice."""

ErrorCorrection = Literal["L", "M", "Q", "H"]
_LEVELS: Final[dict[ErrorCorrection, int]] = {
    "L": qrcode.constants.ERROR_CORRECT_L,
    "M": qrcode.constants.ERROR_CORRECT_M,
    "Q": qrcode.constants.ERROR_CORRECT_Q,
    "H": qrcode.constants.ERROR_CORRECT_H,
}


def qr_matrix(text: str, *, ecc: ErrorCorrection = "M") -> list[list[bool]]:
    """The modules without the quiet zone, True where it is dark, in the smallest version that fits."""
    code = qrcode.QRCode(error_correction=_LEVELS[ecc], mask_pattern=MASK, border=0)
    # optimize=0: one segment. An upper-case URL is then alphanumeric as a whole.
    code.add_data(text, optimize=0)
    code.make(fit=True)
    return [[bool(module) for module in row] for row in code.modules]


def qr_svg(text: str, *, ecc: ErrorCorrection = "M", title: str = "", css_class: str = "qr") -> str:
    """An SVG of black on white with a quiet zone of four modules, to be scaled by whoever places it.

    `title` is what a screen reader says; without one the picture is hidden from it. M for screens, Q for paper.
    """
    matrix = qr_matrix(text, ecc=ecc)
    size = len(matrix) + 2 * QUIET_MODULES
    words = f'role="img"><title>{escape(title)}</title>' if title else 'aria-hidden="true">'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{escape(css_class)}" viewBox="0 0 {size} {size}" '
        f'shape-rendering="crispEdges" {words}<path fill="#fff" d="M0 0h{size}v{size}H0z"/>'
        f'<path stroke="#000" d="{_runs(matrix)}"/></svg>'
    )


def _runs(matrix: list[list[bool]]) -> str:
    """One line through the middle of each run of dark modules, as wide as a module; from one to the next by the distance."""
    parts: list[str] = []
    for y, row in enumerate(matrix, start=QUIET_MODULES):
        gap, move = QUIET_MODULES, f"M{{}} {y}.5h"
        for dark, run in groupby(row):
            length = len(list(run))
            if not dark:
                gap += length
                continue
            parts += (move.format(gap), str(length))
            gap, move = 0, "m{} 0h"
    return "".join(parts)
