"""Tables as a person reads them in a terminal. What others wrote is shown as plain text: neither markup nor control
characters of theirs reach the terminal.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from runtime.domain.csv_text import one_line

WIDTH, HEIGHT = 118, 100
"""Cells of a page. A terminal that calls itself dumb is taken for 80 wide where one of the two is not given."""


def table(title: str, heads: Sequence[str]) -> Table:
    """A table without rows; a head that begins with `>` sets its column to the right. Without heads there is no line
    for them.
    """
    made = Table(title=title, box=SIMPLE_HEAD, pad_edge=False, show_header=any(heads))
    for head in heads:
        made.add_column(head.removeprefix(">"), justify="right" if head.startswith(">") else "left", overflow="fold")
    return made


def row(to: Table, *cells: str | list[str]) -> None:
    """A row; a list is a cell of several lines."""
    lines = ([cell] if isinstance(cell, str) else cell for cell in cells)
    to.add_row(*(Text("\n".join(map(one_line, cell))) for cell in lines))


def printed(tables: Iterable[Table], *, colour: bool) -> str:
    """The tables as text, each below its title."""
    out = io.StringIO()
    console = Console(file=out, width=WIDTH, height=HEIGHT, force_terminal=colour, no_color=not colour, highlight=False)
    for one in tables:
        if one.title:
            console.print(Text(str(one.title), style="bold"))
        one.title = None
        console.print(one)
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip().splitlines()) + "\n"
