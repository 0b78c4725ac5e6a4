"""Drawing: a small canvas of 16 colours that becomes a PNG, for the one picture that an hour sends.

The libraries that draw well weigh more than the hour itself, and an hour that only sends a line and a few bars needs
none of them: pixels in one palette, packed by zlib. The same strokes give the same bytes.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from itertools import pairwise

COLOURS = {
    "paper": (255, 255, 255),
    "ink": (33, 37, 41),
    "faint": (222, 226, 230),
    "grey": (108, 117, 125),
    "line": (13, 110, 253),
    "bar": (32, 201, 151),
    "mark": (220, 53, 69),
}
"""Names of the palette, in the order of their numbers."""

GLYPH_WIDTH, GLYPH_HEIGHT, GLYPH_STEP = 5, 7, 6
_GLYPHS = {
    " ": "0000000000", "%": "2313086462", "+": "08083E0808", ",": "0050300000", "-": "0808080808", ".": "0060600000",
    "/": "2010080402", ":": "0036360000", "0": "3E5149453E", "1": "00427F4000", "2": "4261514946", "3": "2141494D33",
    "4": "1814127F10", "5": "2745454539", "6": "3C4A494931", "7": "4121110907", "8": "3649494936", "9": "064949291E",
    "A": "7E1111117E", "B": "7F49494936", "C": "3E41414122", "D": "7F4141413E", "E": "7F49494941", "F": "7F09090901",
    "G": "3E41415173", "H": "7F0808087F", "I": "00417F4100", "J": "2040413F01", "K": "7F08142241", "L": "7F40404040",
    "M": "7F021C027F", "N": "7F0408107F", "O": "3E4141413E", "P": "7F09090906", "Q": "3E4151215E", "R": "7F09192946",
    "S": "2649494932", "T": "01017F0101", "U": "3F4040403F", "V": "1F2040201F", "W": "3F4038403F", "X": "6314081463",
    "Y": "0304780403", "Z": "6151494543",
}  # fmt: skip
"""Letters of 5 by 7 points: a byte a column from the left, the lowest bit on top; what is not here is a space."""


class Canvas:
    """Pixels that are drawn on; x to the right, y down, what falls outside is left out."""

    def __init__(self, width: int, height: int) -> None:
        """A blank sheet."""
        self.width, self.height = width, height
        self._rows = [bytearray(width) for _ in range(height)]
        self._numbers = {name: number for number, name in enumerate(COLOURS)}

    def box(self, left: int, top: int, right: int, bottom: int, colour: str) -> None:
        """A filled rectangle; `right` and `bottom` are just outside it."""
        left, right = max(0, left), min(self.width, right)
        for y in range(max(0, top), min(self.height, bottom)):
            if right > left:
                self._rows[y][left:right] = bytes([self._numbers[colour]]) * (right - left)

    def path(self, points: Sequence[tuple[int, int]], colour: str, width: int = 2) -> None:
        """A line through `points`, `width` pixels strong."""
        for (x0, y0), (x1, y1) in pairwise(points):
            steps = max(abs(x1 - x0), abs(y1 - y0), 1)
            for step in range(steps + 1):
                x, y = x0 + (x1 - x0) * step // steps, y0 + (y1 - y0) * step // steps
                self.box(x, y, x + width, y + width, colour)

    def text(self, x: int, y: int, words: str, colour: str = "ink", size: int = 2) -> int:
        """`words` in capitals from the upper left corner; returns where they end."""
        for letter in words.upper():
            columns = bytes.fromhex(_GLYPHS.get(letter, _GLYPHS[" "]))
            for across, column in enumerate(columns):
                for down in range(GLYPH_HEIGHT):
                    if column >> down & 1:
                        left, top = x + across * size, y + down * size
                        self.box(left, top, left + size, top + size, colour)
            x += GLYPH_STEP * size
        return x

    def png(self) -> bytes:
        """The sheet as a PNG file of indexed colours."""
        header = self.width.to_bytes(4, "big") + self.height.to_bytes(4, "big") + bytes([8, 3, 0, 0, 0])
        palette = bytes(part for colour in COLOURS.values() for part in colour)
        lines = b"".join(b"\0" + row for row in self._rows)
        parts = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
        return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def text_width(words: str, size: int = 2) -> int:
    """The pixels that `words` take on a line."""
    return len(words) * GLYPH_STEP * size


def _chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
