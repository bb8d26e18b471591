"""Draws the map of rooms from `docs/rooms.toml`, the one table of rooms and floors.

python docs/_ext/rooms.py rooms.svg
"""

from __future__ import annotations

import sys
import tomllib
from html import escape
from pathlib import Path
from textwrap import wrap
from typing import Any

TABLE = Path(__file__).resolve().parents[1] / "rooms.toml"

WIDTH, LEFT, GAP, LINE, PADDING = 1000, 70, 12, 17, 12
PER_ROW = 3
ROOM = (WIDTH - LEFT - GAP * PER_ROW) / PER_ROW
LETTERS = int(ROOM / 7.3)
"""How many letters of 13 pixels fit into the width of a room."""


def read_rooms(file: Path = TABLE) -> list[dict[str, Any]]:
    """All rooms: `floor`, `name` and `reason` of each."""
    return tomllib.loads(file.read_text(encoding="utf-8"))["room"]


def draw(rooms: list[dict[str, Any]]) -> str:
    """An SVG: the lowest floor at the bottom, each room with its one reason to change."""
    parts, top = [], GAP
    for floor in sorted({room["floor"] for room in rooms}, reverse=True):
        here = [room for room in rooms if room["floor"] == floor]
        start = top
        for row in range(0, len(here), PER_ROW):
            texts = [wrap(room["reason"], LETTERS) for room in here[row : row + PER_ROW]]
            height = 2 * PADDING + LINE * (1 + max(map(len, texts)))
            for column, (room, lines) in enumerate(zip(here[row:], texts, strict=False)):
                parts.append(_room(LEFT + column * (ROOM + GAP), top, height, room["name"], lines))
            top += height + GAP / 2
        top += GAP / 2
        parts.append(
            f'<text class="floor" x="{LEFT / 2}" y="{(start + top) / 2}">{floor}</text>'
            f'<line class="ground" x1="{GAP}" x2="{WIDTH - GAP}" y1="{top}" y2="{top}"/>'
        )
        top += GAP
    note = "An import goes down: a room uses rooms of lower floors, and no others."
    parts.append(f'<text class="note" x="{LEFT}" y="{top + LINE}">{note}</text>')
    height = top + 2 * LINE
    style = (
        "text{font:13px system-ui,sans-serif;fill:#1b1b1b}"
        ".name{font:600 14px ui-monospace,monospace}.note{font-style:italic}"
        ".floor{font-size:22px;text-anchor:middle;dominant-baseline:middle;fill:#0072b2}"
        ".room{fill:#eef4f9;stroke:#0072b2}.ground{stroke:#9a9a9a}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img">'
        f"<title>The rooms of sfmforensics</title><style>{style}</style>"
        f'<rect width="{WIDTH}" height="{height:.0f}" fill="#ffffff"/>{"".join(parts)}</svg>\n'
    )


def _room(x: float, y: float, height: float, name: str, lines: list[str]) -> str:
    left, top = x + PADDING, y + PADDING
    box = f'x="{x:.0f}" y="{y:.0f}" width="{ROOM:.0f}" height="{height:.0f}" rx="4"'
    texts = "".join(
        f'<text x="{left:.0f}" y="{top + LINE * (1.75 + number):.0f}">{escape(line)}</text>'
        for number, line in enumerate(lines)
    )
    title = f'<text class="name" x="{left:.0f}" y="{top + LINE * 0.7:.0f}">{escape(name)}</text>'
    return f'<rect class="room" {box}/>{title}{texts}'


def setup(app: Any) -> dict[str, bool]:
    """Draw it before Sphinx looks for it."""
    app.connect(
        "builder-inited",
        lambda app: Path(app.srcdir, "_static", "rooms.svg").write_text(
            draw(read_rooms()), encoding="utf-8"
        ),
    )
    return {"parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(draw(read_rooms()), encoding="utf-8")
