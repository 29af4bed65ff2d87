"""Papers as PDF files that look the same everywhere: the Chinese font is in the file, cut down to the characters used."""

from collections.abc import Sequence
from urllib.parse import quote

import pylopdf_fonts_zh_cn
from fpdf import FPDF, FontFace
from fpdf.enums import TableBordersLayout, XPos, YPos
from litestar import Response

FONT = "NotoSansSC"
TITLE, BODY, SMALL = 16, 10, 8
LINE = 6


class Paper(FPDF):
    """An A4 paper with a heading, pairs, tables and room for signatures. Slow: make it in a thread.

    Reading the font takes half a second of one processor; a table of a thousand lines takes about four more.
    """

    def __init__(self, foot: str, *, page_of: str) -> None:
        super().__init__(format="A4")
        self._foot, self._page_of = foot, page_of
        self.set_margin(15)
        self.set_auto_page_break(auto=True, margin=20)
        self.add_font(FONT, fname=pylopdf_fonts_zh_cn.sans_path())
        self.add_page()

    def footer(self) -> None:
        """What a page says about itself, so that a loose sheet finds back: called by the library."""
        self.set_y(-14)
        self.set_font(FONT, size=SMALL)
        self.cell(w=0, h=LINE, text=self._foot)
        self.cell(
            w=0, h=LINE, text=self._page_of.format(page=self.page_no(), pages="{nb}"), align="R", new_x=XPos.LMARGIN
        )

    def heading(self, text: str, sub: Sequence[str] = ()) -> None:
        """The title and the lines below it."""
        self.set_font(FONT, size=TITLE)
        self.cell(w=0, h=10, text=text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.set_font(FONT, size=BODY)
        for line in sub:
            self.multi_cell(w=0, h=LINE, text=line, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(2)

    def pairs(self, rows: Sequence[tuple[str, str]]) -> None:
        """What something is called, and what it is; long texts go on below."""
        for name, value in rows:
            self.cell(w=45, h=LINE, text=name)
            self.multi_cell(w=0, h=LINE, text=value, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(2)

    def lines(self, headings: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int], align: str) -> None:
        """A table whose headings come again on every page. `align` has a letter for each column: L, C or R."""
        self.set_font(FONT, size=SMALL)
        with self.table(
            col_widths=tuple(widths),
            text_align=tuple({"L": "LEFT", "C": "CENTER", "R": "RIGHT"}[letter] for letter in align),
            line_height=5,
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            headings_style=FontFace(emphasis="", fill_color=(226, 241, 235)),
        ) as table:
            for row in (headings, *rows):
                table.row(tuple(row))
        self.ln(3)
        self.set_font(FONT, size=BODY)

    def signs(self, names: Sequence[str]) -> None:
        """Room for signatures side by side."""
        if self.get_y() > self.h - 50:
            self.add_page()
        self.ln(8)
        wide = self.epw / len(names)
        for name in names:
            self.cell(w=wide, h=LINE, text=f"{name}：" if name else "")
        self.ln(14)

    def as_bytes(self) -> bytes:
        """The whole file."""
        return bytes(self.output())


def pdf_answer(name: str, content: bytes) -> Response[bytes]:
    """The file to save, under a name in any language."""
    named = quote(f"{name}.pdf", safe="")
    return Response(
        content,
        media_type="application/pdf",
        headers={
            "Content-Disposition": f"attachment; filename=\"paper.pdf\"; filename*=UTF-8''{named}",
            "Cache-Control": "no-store",
        },
    )
