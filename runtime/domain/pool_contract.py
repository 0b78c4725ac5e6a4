"""The contract of an upstream payload, one check a field; `pool.parse_pool` puts them together.

A check never raises and never repairs: it adds one text for each fault to `problems` (field, value, fix) and returns
the value as typed, which nobody may use once there is a problem. A payload is foreign text, so whatever it holds (a
number of a million digits, a list a thousand deep, half a character) must come out as a short text on one line.

Unknown fields are kept as far as every store can hold them: JSON values, `EXTRA_BYTES_MAX` in all.

A mapping as `symbols` (the legacy shape) keeps the order its source gives it: a file has one, a Firestore map has none
that can be relied on.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from runtime.domain.money import CASH, CORE, FUEL, STABLECOINS

FIELDS = frozenset({"as_of_date", "version", "mode", "pool_size", "symbols", "symbol_map", "source_project"})
EXTRA_BYTES_MAX = 65_536
EXTRA_DEPTH_MAX = 10
VERSION_CHARS_MAX = 100
SHOWN_CHARS_MAX = 60
SHOWN_DIGITS_MAX = 20
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PAIR = re.compile(rf"[A-Z0-9]{{1,16}}{CASH}")
_DATE_PARTS = re.compile(r"(?<![0-9])([0-9]{4})[-_./]([0-9]{2})[-_./]([0-9]{2})(?![0-9])")
# Digits alone count only where they can be a date (they may be a run number); a time of day may follow them.
_DATE_DIGITS = re.compile(
    r"(?<![0-9])(20[0-9]{2})(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])(?:[0-9]{4}|[0-9]{6})?(?![0-9])"
)


def problem(name: str, value: object, fix: str) -> str:
    """One fault as text: the field, the value as read, and what it should be."""
    return f"{name}: {_shown(value)} – {fix}"


def _shown(value: object) -> str:
    """A value as an operator should see it: short, on one line, whatever it is."""
    if value is None:
        return "missing"
    if isinstance(value, str):
        return repr(value if len(value) <= SHOWN_CHARS_MAX else value[:SHOWN_CHARS_MAX] + "...")
    if isinstance(value, int) and abs(value) >= 10**SHOWN_DIGITS_MAX:
        return f"a number of more than {SHOWN_DIGITS_MAX} digits"
    if isinstance(value, bool | int | float):
        return repr(value)
    if isinstance(value, Mapping | list | tuple):
        return f"{'an object' if isinstance(value, Mapping) else 'a list'} with {len(value)} item(s)"
    return f"a {type(value).__name__}"


def check_date(value: object, problems: list[str]) -> date | None:
    """`as_of_date`: a date; None if it is no date at all."""
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        problems.append(problem("as_of_date", value, "must be a date as text and nothing else, such as 2026-03-10"))
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        problems.append(problem("as_of_date", value, "is not in the calendar"))
        return None


def check_age(day: date, today: date, max_age_days: int, problems: list[str]) -> None:
    """`as_of_date` as a `day`: not after `today` (UTC), and at most `max_age_days` old."""
    age, value = (today - day).days, day.isoformat()
    if age < 0:
        problems.append(problem("as_of_date", value, f"is {-age} day(s) in the future (today is {today} UTC)"))
    elif age > max_age_days:
        problems.append(problem("as_of_date", value, f"is {age} days old, {max_age_days} at most: publish a release"))


def check_version(value: object, as_of: date | None, problems: list[str]) -> str:
    """`version`: a short text; every date that is written in it must be `as_of`."""
    text = value if isinstance(value, str) else ""
    if not text.strip() or text != text.strip() or len(text) > VERSION_CHARS_MAX or not text.isprintable():
        fix = f"must be a text of 1 to {VERSION_CHARS_MAX} printable characters, such as 2026-03-10-core_major"
        problems.append(problem("version", value, fix))
    elif as_of is not None:
        others = sorted(_dates_in(text) - {as_of.isoformat()})
        problems.extend(
            problem("version", value, f"names {day}, which contradicts as_of_date {as_of}") for day in others
        )
    return text


def _dates_in(version: str) -> set[str]:
    return {"-".join(parts) for form in (_DATE_PARTS, _DATE_DIGITS) for parts in form.findall(version)}


def check_mode(value: object, acceptable: tuple[str, ...], problems: list[str]) -> str:
    """`mode`: one of the acceptable ones, letter by letter."""
    if isinstance(value, str) and value in acceptable:
        return value
    problems.append(problem("mode", value, f"must be one of: {', '.join(acceptable)}"))
    return ""


def check_symbols(value: object, problems: list[str]) -> tuple[str, ...]:
    """`symbols`, a list or a mapping, in the order given: USDT pairs, each once, none that is held outside the pool."""
    if not isinstance(value, Mapping | list | tuple):
        problems.append(problem("symbols", value, "must be a list of symbols, or a mapping by symbol"))
        return ()
    if not value:
        problems.append(problem("symbols", value, "must name at least one symbol"))
    first: dict[str, int] = {}
    for at, symbol in enumerate(value):
        fault = _symbol_fault(symbol)
        if not fault and first.setdefault(symbol, at) != at:
            fault = f"repeats symbols[{first[symbol]}]: name it once"
        if fault:
            problems.append(problem(f"symbols[{at}]", symbol, fault))
    return tuple(symbol if isinstance(symbol, str) else "" for symbol in value)


def _symbol_fault(symbol: object) -> str:
    if not isinstance(symbol, str) or not _PAIR.fullmatch(symbol):
        return f"must be an upper-case {CASH} pair, such as ETH{CASH}"
    base = symbol.removesuffix(CASH)
    if base in {CORE, FUEL}:
        return f"{base} is held outside the pool ({'the core' if base == CORE else 'fuel for fees'}): leave it out"
    return f"{base} is a stablecoin or cash: leave it out" if base in STABLECOINS else ""


def check_size(value: object, count: int, expected: int, problems: list[str]) -> None:
    """`pool_size`: an integer that equals both the number of symbols and the expected size."""
    if not isinstance(value, int) or isinstance(value, bool):
        problems.append(problem("pool_size", value, "must be a whole number"))
        return
    if value != count:
        problems.append(problem("pool_size", value, f"must be the number of symbols, which is {count}"))
    if value != expected:
        problems.append(problem("pool_size", value, f"must be the expected size, which is {expected}"))


def check_bases(payload: Mapping[str, Any], symbols: tuple[str, ...], problems: list[str]) -> None:
    """The base assets that the legacy mapping and `symbol_map` name: one for every symbol, and the right one.

    A `symbol_map` that is absent or empty says nothing about the symbols, so nothing is wrong with it.
    """
    table = payload.get("symbol_map")
    if not isinstance(table, Mapping | None):
        problems.append(problem("symbol_map", table, "must be an object by symbol, or left out"))
    for name in ("symbols", "symbol_map"):
        entries = payload.get(name)
        if not isinstance(entries, Mapping) or not entries:
            continue
        for symbol in dict.fromkeys(filter(_PAIR.fullmatch, symbols)):
            entry, base = entries.get(symbol), symbol.removesuffix(CASH)
            named = entry.get("base_asset") if isinstance(entry, Mapping) else entry
            if not isinstance(entry, Mapping) or named != base:
                problems.append(problem(f"{name}.{symbol}.base_asset", named, f"must be {base!r}"))


def keep_extra(payload: Mapping[Any, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The unknown fields that the state can hold, as plain JSON values, and the names of the others."""
    kept: dict[str, Any] = {}
    left_out: list[str] = []
    room = EXTRA_BYTES_MAX
    for name, value in payload.items():
        if name in FIELDS:
            continue
        plain = value.isoformat() if isinstance(value, date) else value
        text = json.dumps([name, plain]) if storable(name) and storable(plain) else ""
        if isinstance(name, str) and text and len(text) <= room:
            room -= len(text)
            kept[name] = json.loads(text)[1]
        else:
            left_out.append(_shown(name))
    return kept, tuple(left_out)


def storable(value: object, depth: int = 0) -> bool:
    """Whether `value` is JSON that every store can keep: finite, 64 bits, valid text, not too deep."""
    if isinstance(value, str):
        return not any("\ud800" <= char <= "\udfff" for char in value)
    if isinstance(value, float):
        return math.isfinite(value)
    if value is None or isinstance(value, int):
        return value is None or -(2**63) <= value < 2**63
    if depth >= EXTRA_DEPTH_MAX or not isinstance(value, Mapping | list | tuple):
        return False
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and storable(key) and storable(value[key], depth + 1) for key in value)
    return all(storable(item, depth + 1) for item in value)
