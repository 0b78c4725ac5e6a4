"""What a sweep and a walk end with: tables for people, JSON for programs, the warning where chance may do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from runtime.config import PARAMETER_PREFIX
from runtime.domain.overfitting import TRUSTED, Deflated
from runtime.domain.slots import slot_at
from runtime.domain.sweep_space import Space
from runtime.domain.trials import Row, digest_of
from runtime.domain.walk_forward import Fold
from runtime.sweep import Swept, Walked

SHOWN = 10
COLUMNS = ("total", "max_drawdown", "sharpe", "trades")
FRACTIONS = {"total", "yearly", "money_weighted", "max_drawdown", "hold_total", "hit_rate", "exposure"}
UNTRUSTED = f"WARNING: below {TRUSTED}: chance and the number of trials may explain this; do not trust it"


def swept_summary(space: Space, found: Swept | Walked) -> dict[str, Any]:
    """What it ended with, as JSON values."""
    return _summary_of_sweep(space, found) if isinstance(found, Swept) else _summary_of_walk(space, found)


def swept_lines(space: Space, found: Swept | Walked, path: str) -> list[str]:
    """What it ended with, for people; `path` is where the rows are kept."""
    return _of_sweep(space, found, path) if isinstance(found, Swept) else _of_walk(space, found, path)


def _summary_of_sweep(space: Space, found: Swept) -> dict[str, Any]:
    """What a sweep ended with, as JSON values."""
    return {
        "objective": space.objective,
        "asked": found.asked,
        "trials": len(found.rows),
        "refused": sum(bool(row.refused) for row in found.rows),
        "best": _row_document(found.best),
        "deflated_sharpe": _deflated_document(found.deflated),
        "overfitting_probability": found.overfitting,
        "sha256": digest_of(found.rows),
    }


def _summary_of_walk(space: Space, found: Walked) -> dict[str, Any]:
    """What a walk ended with, as JSON values."""
    figures = asdict(found.stitched)
    return {
        "objective": space.objective,
        "folds": [
            {
                "train": fold.best.window(),
                "test": fold.test.window(),
                "trials": len(fold.trained),
                "in_sample": _row_document(fold.best),
                "out_of_sample": _row_document(fold.test),
                "deflated_sharpe": _deflated_document(fold.deflated),
            }
            for fold in found.folds
        ],
        "out_of_sample": figures | {"deflated": _deflated_document(found.stitched.deflated)},
        "sha256": digest_of([row for fold in found.folds for row in (*fold.trained, fold.test)]),
    }


def _row_document(row: Row) -> dict[str, Any]:
    return {"parameters": dict(row.parameters), "figures": dict(row.outcome.figures), "key": row.key}


def _deflated_document(found: Deflated | None) -> dict[str, Any] | None:
    return asdict(found) if found is not None else None


def _of_sweep(space: Space, found: Swept, path: str) -> list[str]:
    """What a sweep ended with, for people."""
    refused = sum(bool(row.refused) for row in found.rows)
    sign = 1 if space.minimize else -1
    judged = [row for row in found.rows if row.value(space.objective) is not None]
    ordered = sorted(judged, key=lambda row: (sign * (row.value(space.objective) or 0.0), row.asked.number))
    figures = list(dict.fromkeys((space.objective, *COLUMNS)))
    heads = ["trial", *figures, *(_short(made.name) for made in space.dimensions)]
    table = [
        [str(row.asked.number), *(_shown(row, n) for n in figures), *(row.parameters[d.name] for d in space.dimensions)]
        for row in ordered[:SHOWN]
    ]
    counts = f"{found.asked} trials asked for by {space.sampler}, {len(found.rows)} different, {refused} refused"
    return [
        f"{counts}; {'lowest' if space.minimize else 'highest'} {space.objective} first",
        *_table([heads, *table]),
        *_verdict("best trial", found.deflated),
        *_overfitting(found),
        f"trials SHA-256 {digest_of(found.rows)}",
        f"kept in {path}",
    ]


def _of_walk(space: Space, found: Walked, path: str) -> list[str]:
    """What a walk ended with, for people."""
    whole = found.stitched
    heads = [
        "test window",
        "trials",
        f"{space.objective} in",
        "out",
        "total in",
        "out",
        "bitcoin",
        "DSR in",
        "settings",
    ]
    earned = f"total {_percent(whole.total)}, a year {_percent(whole.yearly)}, drawdown {_percent(whole.max_drawdown)}"
    named = {"Sharpe": whole.sharpe, "Sortino": whole.sortino, "Calmar": whole.calmar}
    ratios = ", ".join(f"{name} {_number(value)}" for name, value in named.items())
    return [
        f"{len(found.folds)} folds: searched by {space.sampler} in the train window (in), judged in the test window",
        *_table([heads, *(_fold_cells(space, fold) for fold in found.folds)]),
        f"out of sample, {whole.days} days linked: {earned}, {ratios}; bitcoin held {_percent(whole.hold)}",
        f"probability that the true Sharpe ratio is above 0: {_number(whole.above_zero)}",
        *_verdict("out of sample", whole.deflated),
        f"trials SHA-256 {_summary_of_walk(space, found)['sha256']}",
        f"kept in {path}",
    ]


def _fold_cells(space: Space, fold: Fold) -> list[str]:
    return [
        f"{slot_at(fold.test.start_ms)[:10]} to {slot_at(fold.test.end_ms)[:10]}",
        str(len(fold.trained)),
        _shown(fold.best, space.objective),
        _shown(fold.test, space.objective),
        _shown(fold.best, "total"),
        _shown(fold.test, "total"),
        _shown(fold.test, "hold_total"),
        _number(fold.deflated.probability if fold.deflated else None),
        " ".join(f"{_short(name)}={text}" for name, text in fold.best.parameters.items()),
    ]


def _verdict(what: str, found: Deflated | None) -> list[str]:
    if found is None:
        return [f"deflated Sharpe ratio, {what}: no value (fewer than 3 days, or no movement)"]
    chance = f"{found.expected:.4f} expected of the best of {found.trials} without merit"
    line = f"deflated Sharpe ratio, {what}: {found.probability:.3f} (daily Sharpe {found.sharpe:.4f}, {chance})"
    return [line] if found.trusted() else [line, UNTRUSTED]


def _overfitting(found: Swept) -> list[str]:
    share = found.overfitting
    return [] if share is None else [f"probability of backtest overfitting: {share:.2f} (0.5 is what chance gives)"]


def _shown(row: Row, figure: str) -> str:
    value = row.value(figure)
    if figure in FRACTIONS:
        return _percent(value)
    return f"{value:.0f}" if value is not None and figure in {"trades", "closed_hours"} else _number(value)


def _short(name: str) -> str:
    return name.removeprefix(PARAMETER_PREFIX).lower()


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
