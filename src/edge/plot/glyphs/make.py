"""Writes roboto.txt, the outlines of letters, from a TrueType font: `pip install fonttools font-roboto`, then `python glyphs.py Roboto-Regular.ttf`.

A line is a character's code in hexadecimal, its advance, and its outline: `M`, `L` and `Q` with coordinates in units of the font,
y upwards, `Z` at the end of each contour. The first line is the size of the em.
"""

import sys

from fontTools.pens.basePen import BasePen
from fontTools.ttLib import TTFont

RANGES = [(0x20, 0x7F), (0xA0, 0x180), (0x391, 0x3CA), (0x401, 0x402), (0x410, 0x450), (0x451, 0x452), (0x2010, 0x2027)]
MORE = "€∂∆∑−√∞≈≠≤≥\ufffd"


class Pen(BasePen):
    def __init__(self, glyphs):
        super().__init__(glyphs)
        self.path = []

    def put(self, letter, *points):
        self.path.append(letter + " ".join(f"{round(x)} {round(y)}" for x, y in points))

    def _moveTo(self, point):
        self.put("M", point)

    def _lineTo(self, point):
        self.put("L", point)

    def _qCurveToOne(self, control, point):
        self.put("Q", control, point)

    def _curveToOne(self, *points):
        raise ValueError("a TrueType font has no cubic curves")

    def _closePath(self):
        self.path.append("Z")


font = TTFont(sys.argv[1])
glyphs, names, metrics = font.getGlyphSet(), font.getBestCmap(), font["hmtx"]
codes = sorted({code for start, end in RANGES for code in range(start, end)} | {ord(letter) for letter in MORE})
with open("roboto.txt", "w") as file:
    file.write(f"{font['head'].unitsPerEm}\n")
    for code in codes:
        name = names.get(code)
        if name is not None:
            pen = Pen(glyphs)
            glyphs[name].draw(pen)
            file.write(f"{code:x} {metrics[name][0]} {''.join(pen.path)}\n")
