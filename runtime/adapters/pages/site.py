"""The pages of a site: static files that ask nothing of a network, readable on a phone, light and dark.

Every value is escaped by the templates. Nothing in them depends on the moment they were made, so the same account gives
the same bytes. Pictures are drawn as SVG inside the page, with their content in words for who does not see them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from runtime.adapters.pages.why import why_fragment
from runtime.domain.site import HourRow, Site, day_return
from runtime.domain.texts import Language

NONE, HIDDEN = "–", "hidden"
WIDTH, HEIGHT, EDGE = 800, 220, 6
SECTIONS = (
    ("index.html", "Overview"),
    ("days.html", "Days"),
    ("performance.html", "Performance"),
    ("books.html", "Books"),
    ("incidents.html", "Incidents"),
)
_HERE = Path(__file__).parent
_TEMPLATES = Environment(
    loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


def site_files(site: Site, language: Language) -> Iterator[tuple[str, bytes]]:
    """Path and content of each file, in order."""
    yield "style.css", (_HERE / "site.css").read_bytes()
    yield ".nojekyll", b""
    newest, days = site.hours[0], site.days()
    shown = _amount(newest.equity, site)
    yield _page(site, "index.html", "Overview", newest=newest, shown=shown, chart=chart(site), days=_days(site)[:7])
    yield _page(site, "days.html", "Days", days=_days(site))
    for day, hours in days.items():
        rows = [(hour, _amount(hour.equity, site)) for hour in hours]
        missed = [slot for slot in site.missed if slot.startswith(day)]
        yield _page(site, "day.html", day, f"days/{day}.html", rows=rows, missed=missed)
    for newer, hour, older in zip([None, *site.hours], site.hours, [*site.hours[1:], None], strict=False):
        card = why_fragment(hour.card, language) if hour.card is not None else ""
        shown, path = _amount(hour.equity, site), f"hours/{hour.slot}.html"
        yield _page(site, "hour.html", hour.slot, path, hour=hour, shown=shown, card=card, newer=newer, older=older)
    earnings = [(e, _amount(e.profit, site), _amount(e.fees, site)) for e in site.earnings]
    yield _page(site, "performance.html", "Performance", earnings=earnings, chart=chart(site))
    yield _page(site, "books.html", "Books")
    troubled = [hour for hour in site.hours if hour.exit_code or hour.alerts]
    yield _page(site, "incidents.html", "Incidents", troubled=troubled)


def _page(site: Site, template: str, title: str, path: str = "", **values: Any) -> tuple[str, bytes]:  # noqa: ANN401
    path = path or template
    root = "../" * path.count("/")
    shared = {"site": site, "title": title, "root": root, "sections": SECTIONS, "path": path, "percent": percent}
    text = _TEMPLATES.get_template(f"site/{template}.jinja").render(**shared, number=number, **values)
    return path, text.encode()


def _days(site: Site) -> list[dict[str, Any]]:
    """The table of days, newest first."""
    days = list(site.days().items())
    rows = []
    for (day, hours), (_, earlier) in pairwise([*days, ("", [])]):
        rows.append(
            {
                "day": day,
                "hours": len(hours),
                "missed": sum(1 for slot in site.missed if slot.startswith(day)),
                "failed": sum(1 for hour in hours if hour.exit_code),
                "orders": sum(hour.orders for hour in hours),
                "equity": _amount(next((hour.equity for hour in hours if hour.equity is not None), None), site),
                "change": percent(day_return(hours, earlier[0] if earlier else None)),
            }
        )
    return rows


def chart(site: Site) -> dict[str, str] | None:
    """The line of equity, or of the return where amounts are hidden; None where less than two hours are known."""
    known = [(hour, value) for hour in reversed(site.hours) if (value := _drawn(hour, site)) is not None]
    if len(known) < 2:  # noqa: PLR2004 - a line has two ends
        return None
    values = [value for _, value in known]
    what = "Return" if site.hidden else "Equity, USDT"
    low, high = (_said(value, site) for value in (min(values), max(values)))
    words = f"{what}, {known[0][0].slot} to {known[-1][0].slot}: lowest {low}, highest {high}"
    return {"points": _points(values), "words": words, "low": low, "high": high, "last": _said(values[-1], site)}


def _drawn(hour: HourRow, site: Site) -> Decimal | None:
    if not site.hidden:
        return hour.equity
    first = next((known.index for known in reversed(site.hours) if known.index), None)
    return hour.index / first - 1 if hour.index is not None and first else None


def _said(value: Decimal, site: Site) -> str:
    return percent(value) if site.hidden else number(value)


def _points(values: Sequence[Decimal]) -> str:
    low, room = min(values), (max(values) - min(values)) or Decimal(1)
    along = Decimal(WIDTH - 2 * EDGE) / (len(values) - 1)
    return " ".join(
        f"{EDGE + along * n:.1f},{EDGE + (HEIGHT - 2 * EDGE) * (1 - (value - low) / room):.1f}"
        for n, value in enumerate(values)
    )


def _amount(value: Decimal | None, site: Site) -> str:
    return HIDDEN if site.hidden else NONE if value is None else number(value)


def percent(value: float | Decimal | None, digits: int = 2) -> str:
    """A fraction as people read it."""
    return NONE if value is None else f"{100 * value:+.{digits}f} %".replace("-", "−")


def number(value: float | Decimal | None, digits: int = 2) -> str:
    """A plain number as people read it."""
    return NONE if value is None else f"{value:,.{digits}f}".replace("-", "−")
