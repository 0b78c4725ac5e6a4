"""The job summary: one hour on the page of its run at GitHub, as Markdown with tables and a picture of equity.

The order is that of a reader who was woken: how it ended, where equity went, what was sent, what was not and why. It
says what the text report says, in the same words. Where the figures of the account may not be seen (a repository that
is not private), it shows shares and percentages alone: every amount, price paid and compared number is left out, and
numbers inside foreign texts are hidden.

GitHub takes 1 MiB a step. What does not fit is left out from the end, by whole sections, and named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from runtime.domain.decision import Decision
from runtime.domain.equity_picture import Point, equity_picture
from runtime.domain.layout import NONE, figure, money, number, percent, shortened
from runtime.domain.ledger import fees
from runtime.domain.markdown import ROWS_MAX, safe, table, without_figures
from runtime.domain.orders import Intent, Kind, Sleeve
from runtime.domain.reasons import worded
from runtime.domain.report import CycleStatus, Equity, Report, to_document
from runtime.domain.report_text import costs_line
from runtime.domain.texts import Language, known, label, text
from runtime.domain.why import card_of
from runtime.domain.why_text import why_markdown

BYTES_MAX = 1_000_000
"""Below GitHub's limit of 1 MiB (1,048,576 bytes) for one step's summary, beyond which nothing of it is shown."""


def render_summary(
    report: Report, language: Language, history: Sequence[Point], *, figures: bool, room: int = BYTES_MAX
) -> str:
    """The summary in at most `room` bytes; `history` are earlier hours in any order, `figures` shows amounts."""
    page = _Page(language, figures)
    title, *sections = [
        page.headline(report),
        page.picture(report, history),
        page.orders(report),
        page.moves("earn_moves", report.earn_moves),
        page.holdings(report),
        page.equity(report.equity),
        page.decision(report.decision),
        page.gates(report),
        page.pool(report),
        page.alerts(report),
        page.mapping("problems", report.problems),
        page.mapping("drift", {asset: number(units) for asset, units in report.drift.items()}),
        page.moves("recovered", report.recovered),
        page.candidates(report.decision),
        page.counts(report),
    ]
    return _fitted(title, [section for section in sections if section], room, page.word("line", "left_out"))


def render_end(status: CycleStatus, code: int, problems: Sequence[str], language: Language, *, figures: bool) -> str:
    """The summary of a run that has no report: how it ended, and why."""
    shown = problems if figures else [without_figures(problem) for problem in problems]
    ended = text("line.ended", language, {"status": label("status", status, language), "code": str(code)})
    return "\n".join([f"### {ended}", "", *(f"- {safe(problem)}" for problem in shown[:ROWS_MAX])]) + "\n"


def render_checks(rows: Sequence[tuple[str, ...]], status: str, code: int, *, figures: bool) -> str:
    """What the doctor found: verdict, check, what was seen, the fix, a row each; and how he ended."""
    shown = [tuple(safe(part if figures else without_figures(part)) for part in row) for row in rows]
    return "\n".join([f"### doctor · {status} (exit {code})", "", *table(("", "check", "seen", "fix"), shown)]) + "\n\n"


def _fitted(title: Sequence[str], sections: Sequence[Sequence[str]], room: int, left_out: str) -> str:
    """All sections, or the first of them that fit, with the headings of the others."""
    texts = ["\n".join(section) + "\n\n" for section in sections]
    names = [section[0].lstrip("# ") for section in sections]
    for kept in range(len(texts), -1, -1):
        last = f"{left_out} {', '.join(names[kept:])}\n" if kept < len(texts) else ""
        page = "\n".join(title) + "\n\n" + "".join(texts[:kept]) + last
        if len(page.encode()) <= room:
            return page
    return ""


@dataclass(frozen=True, slots=True)
class _Page:
    """A language, and whether amounts are shown; each method makes the lines of one section, the heading first."""

    language: Language
    figures: bool

    def word(self, group: str, name: str) -> str:
        """Our word for a machine name; a name without one is shown as it is, and may be anything."""
        return label(group, name, self.language) if known(f"{group}.{name}") else safe(name)

    def line(self, name: str, **values: str) -> str:
        return text(f"line.{name}", self.language, values)

    def told(self, value: str) -> str:
        """A foreign text."""
        return safe(value if self.figures else without_figures(value))

    def section(self, name: str, lines: Sequence[str]) -> list[str]:
        return [f"#### {self.word('heading', name)}", "", *lines] if lines else []

    def rows(self, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
        """A table. A head that ends in `!` is an amount, and its column is left out where those are not shown."""
        at = [n for n, head in enumerate(heads) if self.figures or not head.endswith("!")]
        names = [heads[n].removesuffix("!") for n in at]
        named = [">" * name.startswith(">") + self.word("column", name.removeprefix(">")) for name in names]
        cut = ["", self.line("more_rows", count=str(len(rows) - ROWS_MAX))] if len(rows) > ROWS_MAX else []
        return [*table(named, [[row[n] for n in at] for row in rows]), *cut] if rows else []

    def headline(self, report: Report) -> list[str]:
        ended = self.line("ended", status=self.word("status", report.status), code=str(report.exit_code))
        parts = [report.slot, self.word("mode", report.mode), safe(report.account), ended]
        lines = [f"### {' · '.join(parts)}"]
        if report.error:
            lines += ["", f"> {self.told(report.error)}"]
        if report.control != "run":
            lines += ["", self.line("control", control=self.word("control", report.control))]
        if report.missed:
            lines += ["", self.line("missed", slots=" ".join(map(safe, report.missed)))]
        return lines if self.figures else [*lines, "", self.line("hidden")]

    def picture(self, report: Report, history: Sequence[Point]) -> list[str]:
        return self.section("picture", equity_picture(report, history, self.language, figures=self.figures))

    def equity(self, equity: Equity | None) -> list[str]:
        if equity is None:
            return []
        total = equity.total
        rows = [
            (self.word("part", name), money(value), percent(value / total if total else None))
            for name, value in equity.parts()
        ]
        return self.section("equity", self.rows(("part", ">value!", ">share"), rows))

    def holdings(self, report: Report) -> list[str]:
        heads = ("symbol", "sleeve", ">quantity!", ">price!", ">average!", ">value!", ">share", ">target")
        rows = [
            (safe(held.symbol), self.word("sleeve", held.sleeve) if held.managed else self.word("gate", "dust"),
             number(held.quantity), number(held.price), number(held.average), money(held.value), percent(held.share),
             percent(held.target))
            for held in report.holdings
        ]  # fmt: skip
        lines = self.rows(heads, rows)
        if report.index is not None and lines:
            told = self.line("index", index=number(report.index, 6), drawdown=percent(report.drawdown))
            lines += ["", told]
        return self.section("holdings", lines)

    def decision(self, decision: Decision | None) -> list[str]:
        if decision is None:
            return []
        rows = [
            (Sleeve.BTC_CORE, decision.btc_target_ratio, self._bitcoin(decision)),
            (Sleeve.TREND, decision.trend_target_ratio, self._trend(decision)),
        ]
        named = [(self.word("sleeve", part), percent(ratio), told) for part, ratio, told in rows]
        return self.section("decision", self.rows(("sleeve", ">target", "decided"), named))

    def _bitcoin(self, decision: Decision) -> str:
        told = self._exits(decision, Sleeve.BTC_CORE)
        if decision.dca is not None:
            base = money(decision.dca.base_order) if self.figures else "…"
            size = self.line("dca_size", multiplier=str(decision.dca.multiplier), base=base)
            told.append(f"{self.line('dca')} {size} (ahr999 {figure(decision.dca.ahr999)})")
        return "; ".join(told) or NONE

    def _trend(self, decision: Decision) -> str:
        chosen = [f"{safe(target.symbol)} {percent(target.weight)}" for target in decision.targets]
        regime = self.line("regime_on" if decision.regime_on else "regime_off")
        selected = f"{self.line('selected')} {' '.join(chosen) or NONE}"
        return "; ".join([regime, selected, *self._exits(decision, Sleeve.TREND)])

    def _exits(self, decision: Decision, sleeve: Sleeve) -> list[str]:
        return [
            f"{self.line('exit')} {safe(leaving.symbol)} {percent(leaving.fraction)}: "
            f"{self.word('reason', leaving.reason)} {self._compared(leaving.numbers)}".strip()
            for leaving in decision.exits
            if leaving.sleeve is sleeve
        ]

    def _compared(self, numbers: Mapping[str, str]) -> str:
        if not self.figures:
            return ""
        return safe(", ".join(f"{name} {shortened(value)}" for name, value in numbers.items())) if numbers else ""

    def candidates(self, decision: Decision | None) -> list[str]:
        rows = [
            (NONE if c.rank is None else str(c.rank), safe(c.symbol), figure(c.score), figure(c.momentum),
             ", ".join(self.word("condition", name) for name in c.failed) or NONE)
            for c in (decision.candidates if decision else ())
        ]  # fmt: skip
        return self.section("candidates", self.rows((">rank", "symbol", ">score", ">momentum", "failed"), rows))

    def orders(self, report: Report) -> list[str]:
        heads = ("symbol", "side", ">quantity!", ">average!", ">value!", ">fees!", ">of_equity", "status", "reason")
        total = report.equity.total if report.equity else None
        lines = self.rows(heads, [self._order(intent, total) for intent in report.orders])
        if report.spent.orders and self.figures:
            lines += ["", costs_line(report, self.language)]
        return self.section("orders", lines or [self.line("no_orders")] * (report.decision is not None))

    def _order(self, intent: Intent, total: Decimal | None) -> tuple[str, ...]:
        order = intent.order
        paid = ", ".join(f"{number(fee, 4)} {safe(asset)}" for asset, fee in fees(order).items()) if order else ""
        reason = self.word("reason", intent.reason)
        return (
            safe(intent.symbol),
            self.word("side", intent.side),
            number(order.executed_qty if order else intent.quantity),
            number(order.average_price, 6) if order else NONE,
            money(order.quote_qty) if order else NONE,
            paid or NONE,
            percent(order.quote_qty / total) if order and total else NONE,
            self.word("intent", intent.status),
            f"{reason}: {self.told(intent.detail)}" if intent.detail else reason,
        )

    def moves(self, name: str, intents: Sequence[Intent]) -> list[str]:
        heads = ("slot", "move", "asset", ">amount!", "status", "reason")
        return self.section(name, self.rows(heads, [self._move(intent) for intent in intents]))

    def _move(self, intent: Intent) -> tuple[str, ...]:
        group, move = ("side", intent.side) if intent.kind is Kind.ORDER else ("kind", intent.kind)
        return (
            intent.slot,
            self.word(group, move),
            safe(intent.symbol),
            number(intent.quantity),
            self.word("intent", intent.status),
            self.told(intent.detail),
        )

    def gates(self, report: Report) -> list[str]:
        card = card_of(to_document(report))
        cut = self.line("more_rows", count=str(len(card.held) - ROWS_MAX))
        lines = [*why_markdown(card, self.language, figures=self.figures), *(["", cut] * (len(card.held) > ROWS_MAX))]
        return self.section("gates", lines if report.decision or report.gates else [])

    def pool(self, report: Report) -> list[str]:
        pool = report.pool
        if pool is None:
            return []
        source = self.line(
            "source",
            rung=self.word("rung", pool.rung),
            version=safe(pool.version),
            date=pool.as_of_date.isoformat() if pool.as_of_date else NONE,
            age=NONE if pool.age_days is None else str(pool.age_days),
        )
        lines = [source]
        if pool.degraded:
            lines += ["", f"**{self.line('degraded', cycles=str(pool.degraded_cycles))}**"]
        for name, symbols in (("upstream_order", pool.upstream_order), ("execution_pool", pool.execution_pool)):
            lines += ["", f"{self.line(name)}: {' '.join(map(safe, symbols)) or NONE}"]
        for tried in pool.tried:
            where = f"{self.word('rung', tried.rung)} ({safe(tried.where)})"
            why = safe(worded(tried.why, self.language))
            lines += ["", self.line("accepted" if tried.accepted else "passed_over", where=where, why=why)]
        notes = (safe(worded(note, self.language)) for note in pool.notes)
        return self.section("pool", [*lines, *(line for note in notes for line in ("", note))])

    def alerts(self, report: Report) -> list[str]:
        rows = [
            (self.word("severity", alert.severity), self.word("alert", alert.kind + ".title"))
            for alert in report.alerts
        ]
        return self.section("alerts", self.rows(("severity", "alert"), rows))

    def mapping(self, name: str, values: Mapping[str, str]) -> list[str]:
        return self.section(name, self.rows(("name", "found"), [(safe(k), self.told(v)) for k, v in values.items()]))

    def counts(self, report: Report) -> list[str]:
        held_back = [f"{safe(kind)} {count}" for kind, count in report.suppressed.items()]
        timed = [f"{safe(name)} {took:,} ms" for name, took in report.timings_ms.items()]
        used = [f"{safe(name)} {count:,}" for name, count in report.usage.items()]
        lines = [f"{self.word('heading', 'suppressed')}: {', '.join(held_back)}"] if held_back else []
        return self.section("run", [*lines, "", ", ".join([*used, *timed])] if lines or used or timed else [])
