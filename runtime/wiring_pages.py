"""Wiring of pages: what a finished run leaves for people. Its libraries are imported only here, and only if needed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from runtime.domain.candle_columns import CandleColumns
from runtime.domain.site import Site
from runtime.domain.slots import date_at
from runtime.domain.texts import Language
from runtime.domain.track import Track
from runtime.domain.track_figures import Figures, figures_of
from runtime.errors import Unavailable

REPORT_JSON, REPORT_HTML, PICTURE = "report.json", "report.html", "equity.png"
FIX = "the pages of a run need the packages of the `research` extra; `make test` installs them into .venv"


def pages_of(track: Track, daily: Mapping[str, CandleColumns]) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file; the JSON comes first and needs no further package. `Unavailable` names the fix."""
    figures = figures_of(track)
    yield REPORT_JSON, report_json(track, figures)
    try:
        from runtime.adapters.pages import equity_png, history_page  # noqa: PLC0415 - heavy, and part of an extra
    except ModuleNotFoundError as error:
        raise Unavailable(error.name or "a package", FIX) from None
    yield REPORT_HTML, history_page(track, figures, closes_of(track, daily)).encode()
    yield PICTURE, equity_png(figures, f"{figures.days[0]} to {figures.days[-1]}")


def leave_site(folder: Path, site: Site, language: Language) -> int:
    """Write a site into its folder; how many files it has. `Unavailable` names the fix where a package is missing."""
    try:
        from runtime.adapters.pages.site import site_files  # noqa: PLC0415 - part of an extra
    except ModuleNotFoundError as error:
        raise Unavailable(error.name or "a package", FIX) from None
    from runtime.adapters.site_folder import write_site  # noqa: PLC0415 - only where it is asked for

    return write_site(folder, site_files(site, language))


def report_json(track: Track, figures: Figures) -> bytes:
    """The figures as one JSON object, sorted, with a newline."""
    document = {"track_sha256": track.digest(), "plan": dict(track.plan), "figures": asdict(figures)}
    return (json.dumps(document, sort_keys=True, allow_nan=False) + "\n").encode()


def closes_of(track: Track, daily: Mapping[str, CandleColumns]) -> dict[str, tuple[list[str], list[float]]]:
    """The daily closes within the run's span, of the pairs it traded."""
    days = (date_at(track.first_ms).isoformat(), date_at(list(track.times_ms())[-1]).isoformat())
    found = {}
    for symbol in {trade.symbol for trade in track.trades} & daily.keys():
        columns = daily[symbol]
        named = [(date_at(ms).isoformat(), close) for ms, close in zip(columns.opens_ms, columns.close, strict=True)]
        inside = [(day, close) for day, close in named if days[0] <= day <= days[1]]
        found[symbol] = ([day for day, _ in inside], [close for _, close in inside])
    return found
