"""The report as text: what one hour saw, decided, did and did not do, at a glance, without colour and without stories.

Sections come in the order of the questions: how did it end; where did the pool come from; what do we own; what was
decided; what was sent; what was not traded and why (by part, then by gate); what is wrong. A section without content is
left out, except orders and gates: an hour that traded nothing says so, and why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from runtime.domain.decision import Decision
from runtime.domain.layout import NONE, figure, hanging, joined, money, number, percent, shortened, table, wrap
from runtime.domain.ledger import fees
from runtime.domain.market import BtcFacts
from runtime.domain.messages import clean
from runtime.domain.orders import Intent, Kind
from runtime.domain.reasons import worded
from runtime.domain.report import PoolReport, Report, gates_by_sleeve
from runtime.domain.texts import Language, label, text

INDENT = 2
LABEL_CELLS = 20


def render_text(report: Report, language: Language, width: int = 100) -> str:
    """The report in lines of at most `width` cells where its columns allow; ends with a line's end."""
    page = _Page(language, width)
    sections = [
        page.headline(report),
        page.pool(report.pool),
        page.equity(report),
        page.holdings(report),
        page.decision(report),
        page.candidates(report.decision),
        page.orders(report),
        page.moves("earn_moves", report.earn_moves),
        page.moves("recovered", report.recovered),
        page.gates(report),
        page.mapping("problems", report.problems),
        page.mapping("drift", {asset: number(units) for asset, units in report.drift.items()}),
        page.alerts(report),
        page.mapping("suppressed", {kind: str(count) for kind, count in report.suppressed.items()}),
        page.run(report),
    ]
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


@dataclass(frozen=True, slots=True)
class _Page:
    """A language and a width; each method makes the lines of one section."""

    language: Language
    width: int

    def word(self, group: str, name: str) -> str:
        return label(group, name, self.language)

    def said(self, reason: str) -> str:
        """A sentence that an error or the ladder made up."""
        return clean(worded(reason, self.language))

    def line(self, name: str, **values: str) -> str:
        return text(f"line.{name}", self.language, values)

    def section(self, name: str, lines: Iterable[str]) -> list[str]:
        body = [" " * INDENT + line for line in lines]
        return [self.word("heading", name), *body] if body else []

    def rows(self, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
        named = [">" * head.startswith(">") + self.word("column", head.removeprefix(">")) for head in heads]
        return table(named, rows, self.width - INDENT) if rows else []

    def entry(self, head: str, value: str) -> list[str]:
        return hanging(head, value, self.width - INDENT, LABEL_CELLS)

    def mapping(self, name: str, values: Mapping[str, str]) -> list[str]:
        return self.section(
            name, (line for key, value in values.items() for line in self.entry(clean(key), clean(value)))
        )

    def headline(self, report: Report) -> list[str]:
        ended = self.line("ended", status=self.word("status", report.status), code=str(report.exit_code))
        lines = [" · ".join([report.slot, self.word("mode", report.mode), clean(report.account), ended])]
        lines += wrap(clean(report.error), self.width)
        if report.control != "run":
            lines.append(self.line("control", control=self.word("control", report.control)))
        if report.missed:
            lines += wrap(self.line("missed", slots=" ".join(report.missed)), self.width)
        return lines

    def pool(self, pool: PoolReport | None) -> list[str]:
        if pool is None:
            return []
        source = self.line(
            "source",
            rung=self.word("rung", pool.rung),
            version=clean(pool.version) or NONE,
            date=pool.as_of_date.isoformat() if pool.as_of_date else NONE,
            age=NONE if pool.age_days is None else str(pool.age_days),
        )
        lines = wrap(source, self.width - INDENT)
        if pool.degraded:
            lines.append(self.line("degraded", cycles=str(pool.degraded_cycles)))
        lines += self.entry(self.line("upstream_order"), joined(pool.upstream_order))
        lines += self.entry(self.line("execution_pool"), joined(pool.execution_pool))
        for tried in pool.tried:
            where = f"{self.word('rung', tried.rung)} ({clean(tried.where)})"
            told = self.line("accepted" if tried.accepted else "passed_over", where=where, why=self.said(tried.why))
            lines += self.entry(self.line("tried"), told)
        return self.section(
            "pool", [*lines, *(x for note in pool.notes for x in self.entry(self.line("note"), self.said(note)))]
        )

    def equity(self, report: Report) -> list[str]:
        if report.equity is None:
            return []
        parts = report.equity.parts()
        total = report.equity.total
        rows = [
            (self.word("part", name), money(value), percent(value / total if total else None)) for name, value in parts
        ]
        lines = table(["", ">USDT", ">" + self.word("column", "share")], rows, self.width - INDENT)
        if report.index is not None:
            lines.append(self.line("index", index=number(report.index, 6), drawdown=percent(report.drawdown)))
        return self.section("equity", lines)

    def holdings(self, report: Report) -> list[str]:
        heads = ("symbol", "sleeve", ">quantity", ">price", ">average", ">value", ">share", ">target")
        rows = [
            (held.symbol, self.word("sleeve", held.sleeve) if held.managed else self.word("gate", "dust"),
             number(held.quantity), number(held.price), number(held.average), money(held.value), percent(held.share),
             percent(held.target))
            for held in report.holdings
        ]  # fmt: skip
        return self.section("holdings", self.rows(heads, rows))

    def decision(self, report: Report) -> list[str]:
        decided = report.decision
        lines = self._bitcoin(report)
        if decided is not None:
            ratios = self.line(
                "ratios", btc=percent(decided.btc_target_ratio), trend=percent(decided.trend_target_ratio)
            )
            lines.insert(0, f"{self.line('regime_on' if decided.regime_on else 'regime_off')} · {ratios}")
            selected = joined(f"{target.symbol} {percent(target.weight)}" for target in decided.targets)
            lines += self.entry(self.line("selected"), selected)
            for leaving in decided.exits:
                why = f"{leaving.symbol} {percent(leaving.fraction)}: {self.word('reason', leaving.reason)}"
                lines += self.entry(self.line("exit"), why + _compared(leaving.numbers))
            if decided.dca is not None:
                size = self.line("dca_size", multiplier=str(decided.dca.multiplier), base=money(decided.dca.base_order))
                lines += self.entry(self.line("dca"), size)
        return self.section("decision", lines)

    def _bitcoin(self, report: Report) -> list[str]:
        lines = []
        if report.facts and report.facts.btc:
            lines += self.entry(self.line("bitcoin"), _bitcoin_figures(report.facts.btc))
        if report.ahr999_variant:
            lines += self.entry("ahr999", f"{figure(report.ahr999)} ({report.ahr999_variant})")
        return lines

    def candidates(self, decision: Decision | None) -> list[str]:
        rows = [
            (NONE if c.rank is None else str(c.rank), c.symbol, figure(c.score), figure(c.momentum),
             ", ".join(self.word("condition", name) for name in c.failed) or NONE)
            for c in (decision.candidates if decision else ())
        ]  # fmt: skip
        return self.section("candidates", self.rows((">rank", "symbol", ">score", ">momentum", "failed"), rows))

    def orders(self, report: Report) -> list[str]:
        heads = ("symbol", "side", ">quantity", ">average", ">value", ">fees", "status", "reason")
        rows = self.rows(heads, [self._order(intent) for intent in report.orders])
        rows += wrap(costs_line(report, self.language), self.width - INDENT)
        return self.section("orders", rows or [self.line("no_orders")] * (report.decision is not None))

    def _order(self, intent: Intent) -> tuple[str, ...]:
        order = intent.order
        paid = " ".join(f"{number(fee, 4)} {asset}" for asset, fee in fees(order).items()) if order else ""
        reason = self.word("reason", intent.reason)
        return (
            intent.symbol,
            self.word("side", intent.side),
            number(order.executed_qty if order else intent.quantity),
            number(order.average_price, 6) if order else NONE,
            money(order.quote_qty) if order else NONE,
            paid or NONE,
            self.word("intent", intent.status),
            f"{reason}: {clean(intent.detail)}" if intent.detail else reason,
        )

    def moves(self, name: str, intents: Sequence[Intent]) -> list[str]:
        heads = ("slot", "move", "asset", ">amount", "status", "reason")
        return self.section(name, self.rows(heads, [self._move(intent) for intent in intents]))

    def _move(self, intent: Intent) -> tuple[str, ...]:
        group, move = ("side", intent.side) if intent.kind is Kind.ORDER else ("kind", intent.kind)
        return (
            intent.slot,
            self.word(group, move),
            intent.symbol,
            number(intent.quantity),
            self.word("intent", intent.status),
            clean(intent.detail) or NONE,
        )

    def gates(self, report: Report) -> list[str]:
        lines: list[str] = []
        for sleeve, named in gates_by_sleeve(report.gates).items():
            lines.append(self.word("sleeve", sleeve))
            for name, same in named.items():
                told = "; ".join(f"{gate.symbol}{_compared(gate.numbers)}".strip() for gate in same)
                lines += [" " * INDENT + line for line in self._gate(name, told)]
            if not named:
                lines.append(" " * INDENT + self.line("no_gates"))
        return self.section("gates", lines) if report.decision or report.gates else []

    def _gate(self, name: str, told: str) -> list[str]:
        return hanging(f"{self.word('gate', name)}:" if told else self.word("gate", name), told, self.width - 4, 26)

    def alerts(self, report: Report) -> list[str]:
        told = (
            f"{self.word('severity', alert.severity)}: {label('alert', alert.kind + '.title', self.language)}"
            for alert in report.alerts
        )
        return self.section("alerts", told)

    def run(self, report: Report) -> list[str]:
        counted = {name: str(count) for name, count in report.usage.items()}
        timed = {name: f"{took:,} ms" for name, took in report.timings_ms.items()}
        told = Counter(f"{r.channel or NONE} {'delivered' if r.delivered else 'waits'}" for r in report.receipts)
        alerts = {"alerts": ", ".join(f"{how} {count}" for how, count in told.items())} if told else {}
        minutes = {"minutes": str(report.minutes)} if report.minutes else {}
        return self.mapping("run", {**counted, **timed, **minutes, **alerts, **report.places})


def costs_line(report: Report, language: Language) -> str:
    """What the hour's orders cost, and those of its month; empty where it booked none."""
    spent, month = report.spent, report.month
    if not spent.orders or month is None:
        return ""
    values = {"fees": money(spent.fees), "slippage": money(spent.slippage), "bps": number(spent.slippage_bps, 4)}
    sums = {"month_fees": money(month.fees), "month_slippage": money(month.slippage)}
    return text("line.costs", language, {**values, **sums})


def _bitcoin_figures(btc: BtcFacts) -> str:
    figures = (f"close {figure(btc.close, 7)}", f"ma200 {figure(btc.ma200, 7)}", f"slope {figure(btc.ma200_slope)}",
               f"zscore {figure(btc.zscore)}", f"trigger {figure(btc.sell_trigger)}")  # fmt: skip
    return " · ".join(figures)


def _compared(numbers: Mapping[str, str]) -> str:
    """The numbers that were compared, shortened for a reader, in brackets."""
    told = ", ".join(f"{name} {shortened(value)}" for name, value in numbers.items())
    return f" ({told})" if told else ""
