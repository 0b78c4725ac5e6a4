"""What the bot answers: each owed answer in words, read from the account's store when it is given.

Every value of others is escaped; an answer that cannot be read says so and is given all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from runtime.answers import card_for, positions_of, status_of
from runtime.domain.control import Control
from runtime.domain.inbox import CONTROLS, LATE_MS, Outcome, Owed
from runtime.domain.layout import NONE, money, number, percent
from runtime.domain.lots import Method
from runtime.domain.messages import clean, escape
from runtime.domain.slots import MINUTE_MS, since
from runtime.domain.texts import Language, label, text
from runtime.domain.why_text import why_html
from runtime.errors import EngineError
from runtime.ports import Store
from runtime.results import PERIODS, profits


@dataclass(frozen=True, slots=True)
class Answers:
    """Words what is owed, for one account in one language. `now_ms` tells what control holds."""

    store: Store
    account: str
    language: Language
    now_ms: Callable[[], int]

    def __call__(self, owed: Owed) -> str:
        """The answer as HTML of one message."""
        if owed.outcome == Outcome.ASKED:
            return self._asked(owed)
        control = self._control()
        now = control.at(self.now_ms())
        did = CONTROLS.get(owed.command, now)
        overruled = owed.outcome == Outcome.OBEYED and did is not now
        return self._say(
            "obeyed_then" if overruled else owed.outcome,
            command=owed.command,
            did=label("control", did, self.language),
            control=label("control", now, self.language),
            who=f"telegram:{owed.sender}" if owed.sender else NONE,
            now_who=control.who or NONE,
            minutes=str(LATE_MS // MINUTE_MS),
            update=str(owed.update),
        )

    def _control(self) -> Control:
        try:
            return self.store.control()
        except EngineError as error:
            return Control(why=str(error), unreadable=True)

    def _say(self, key: str, **values: str) -> str:
        return text(f"inbox.{key}", self.language, {name: escape(clean(value)) for name, value in values.items()})

    def _asked(self, owed: Owed) -> str:
        answer: Mapping[str, Callable[[str], str]] = {
            "status": self._status,
            "pnl": self._pnl,
            "positions": self._positions,
            "why": self._why,
            "pool": self._pool,
        }
        try:
            return answer[owed.command](owed.words) if owed.command in answer else self._help()
        except EngineError as error:
            return self._say("unanswered", command=owed.command, why=str(error))

    def _help(self) -> str:
        return f"{self._say('help')}\n{self._say('help_control')}"

    def _status(self, words: str) -> str:
        del words
        status = status_of(self.store, self.account)
        told = self._say(
            "status",
            account=status.account,
            slot=status.slot or NONE,
            code=_whole(status.exit_code),
            ago=self._ago(status.age_minutes),
            control=label("control", status.mode, self.language),
            equity=money(status.equity),
        )
        orders, missed = str(status.open_intents), str(status.missed)
        told += f"\n{self._say('risks', drawdown=percent(status.drawdown), orders=orders, missed=missed)}"
        names = [name.partition(":")[0] for name in status.incidents]
        what = ", ".join(dict.fromkeys(label("alert", f"{name}.title", self.language) for name in names))
        return f"{told}\n{self._say('incidents', what=what)}" if what else told

    def _ago(self, minutes: int | None) -> str:
        if minutes is None:
            return NONE
        count, unit = since(minutes)
        return self._say(f"ago_{unit}", count=str(count))

    def _pnl(self, words: str) -> str:
        del words
        lines = [
            self._say(
                "pnl",
                name=label("period", period.name, self.language),
                profit=money(period.result.profit),
                change=percent(_fraction(period.result.time_weighted)),
                fees=money(period.earned.fees),
            )
            for period in profits(self.store, PERIODS, None, Method.AVERAGE)
        ]
        return "\n".join(lines)

    def _positions(self, words: str) -> str:
        del words
        lines = [
            self._say(
                "position",
                symbol=held.symbol,
                quantity=number(held.quantity),
                value=money(held.value),
                profit=money(held.profit),
            )
            for held in positions_of(self.store, self.account)
        ]
        return _first(lines) or self._say("no_positions")

    def _why(self, words: str) -> str:
        return why_html(card_for(self.store, self.account, words or None), self.language)

    def _pool(self, words: str) -> str:
        del words
        state = self.store.load().state
        if state is None or state.pool_status is None:
            return self._say("no_pool")
        symbols = " ".join(state.pool.symbols) if state.pool is not None else NONE
        rung = label("rung", state.pool_status.rung, self.language)
        return self._say("pool", rung=rung, version=state.pool_status.version, symbols=symbols)


LINES_MAX = 30


def _first(lines: Sequence[str]) -> str:
    """As many lines as one message takes with room to spare."""
    return "\n".join(lines[:LINES_MAX])


def _whole(value: int | None) -> str:
    return NONE if value is None else str(value)


def _fraction(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(f"{value:.8g}")
