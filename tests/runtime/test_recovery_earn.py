"""Earn moves whose answers were lost: matched by amount and time, and never with a move that another intent owns."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.adapters.simulated.conditions import Fault, Script
from runtime.domain.control import Mode
from runtime.domain.orders import EarnDone, Intent, Kind, Leg, Side, Sleeve, Status, client_id
from runtime.domain.slots import HOUR_MS, slot_at, slot_start_ms
from runtime.ports import Changes
from tests.support.operators import put_state
from tests.support.worlds import EARN, MINUTES_PAST_MS, Scene, scene

AMOUNT = Decimal(5)
SIDES = {Kind.REDEEM: Side.SELL, Kind.SUBSCRIBE: Side.BUY}
Act = tuple[Kind, int, str]
ACTS = st.lists(
    st.tuples(st.sampled_from(list(SIDES)), st.sampled_from([5, 6]), st.sampled_from(["none", "lost", "known"])),
    max_size=6,
)
"""Kind and amount of a move, and whether it took effect, with its answer lost or known."""


def recorded(s: Scene, kind: Kind, amount: Decimal, attempt: int) -> Intent:
    """The write-ahead of an Earn move, in state and journal."""
    now_ms = s.clock.now_ms()
    slot = slot_at(now_ms)
    intent = Intent(
        id=client_id("main", slot, Leg(Sleeve.CASH, "USDT", SIDES[kind]), attempt), slot=slot, kind=kind,
        sleeve=Sleeve.CASH, symbol="USDT", side=SIDES[kind], quantity=amount, reason="earn_buffer",
        recorded_ms=now_ms, send_before_ms=now_ms + 234_000, sent_ms=now_ms,
    )  # fmt: skip
    put_state(s, replace(s.state, intents=(*s.state.intents, intent)))
    return intent


def sent(s: Scene, intent: Intent) -> str:
    """Let the move take effect; its id."""
    s.clock.sleep(4)
    outcome = s.exchange.send_earn(intent.kind, "USDT001", intent.quantity, s.clock.now_ms())
    assert isinstance(outcome, EarnDone)
    return str(outcome.move_id)


def known_by(s: Scene, intent: Intent, move_id: str) -> None:
    """Write down that the exchange called the intent's move so."""
    named = replace(intent, before={"move_id": move_id})
    put_state(s, replace(s.state, intents=tuple(named if i.id == intent.id else i for i in s.state.intents)))


def moves(s: Scene) -> dict[str, tuple[Status, str]]:
    """Status and move id of every Earn intent in the journal."""
    found = (intent for intent in s.store.journal() if intent.kind is not Kind.ORDER)
    return {intent.id: (intent.status, intent.before.get("move_id", "")) for intent in found}


def settle_quietly(s: Scene) -> None:
    """The next hour, which recovers and sends nothing."""
    s.control(mode=Mode.HALT)
    s.next()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_move_that_another_open_intent_is_known_by_is_not_taken(order: tuple[int, int]) -> None:
    """Same kind, amount and minute; whichever of the two the state lists first."""
    with scene() as s:
        s.hour()
        lost = recorded(s, Kind.REDEEM, AMOUNT, 8)
        known = recorded(s, Kind.REDEEM, AMOUNT, 9)
        known_by(s, known, sent(s, known))
        pair = [i for i in s.state.intents if i.id in {lost.id, known.id}]
        rest = [i for i in s.state.intents if i not in pair]
        put_state(s, replace(s.state, intents=(*rest, *(pair[number] for number in order))))
        settle_quietly(s)
        assert [moves(s)[i.id][0] for i in (lost, known)] == [Status.ABSENT, Status.DONE]
        assert s.differences() == {}
        assert not s.state.drift


def test_a_move_that_a_closed_intent_of_the_journal_is_known_by_is_not_taken() -> None:
    """Hours later, when the state has forgotten what was settled: the journal has not."""
    with scene() as s:
        s.hour()
        lost = recorded(s, Kind.REDEEM, AMOUNT, 8)
        known = recorded(s, Kind.REDEEM, AMOUNT, 9)
        done = replace(known, status=Status.DONE, before={"move_id": sent(s, known)})
        kept = tuple(i for i in s.state.intents if i.id != known.id)
        held = s.store.take_lease(s.store.load(), "planter", "", 1)
        s.store.commit(held, Changes(replace(s.state, intents=kept), (done,), release=True))
        settle_quietly(s)
        assert moves(s)[lost.id] == (Status.ABSENT, "")


def test_records_read_before_the_fence_prove_nothing_although_it_passes_while_they_are_read() -> None:
    with scene() as s:
        s.hour()
        lost = recorded(s, Kind.REDEEM, AMOUNT, 8)
        asked_at = slot_start_ms(slot_at(s.clock.now_ms() + HOUR_MS)) + MINUTES_PAST_MS
        ripening = replace(lost, sent_ms=asked_at - 20_000 + 500)
        put_state(s, replace(s.state, intents=(*(i for i in s.state.intents if i.id != lost.id), ripening)))
        s.weather(faults=Script({f"GET {EARN}/history/redemptionRecord": {1: Fault(delay_out_ms=1_000)}}))
        settle_quietly(s)
        assert moves(s)[lost.id][0] is Status.UNKNOWN
        s.next()
        assert moves(s)[lost.id][0] is Status.ABSENT


def test_a_subscription_of_the_same_number_claims_no_redemption() -> None:
    """The exchange numbers the two apart, so one number may be in both."""
    with scene() as s:
        s.hour()
        lost = recorded(s, Kind.REDEEM, AMOUNT, 8)
        other = recorded(s, Kind.SUBSCRIBE, AMOUNT, 9)
        known_by(s, other, sent(s, lost))
        settle_quietly(s)
        assert moves(s)[lost.id][0] is Status.DONE


@settings(max_examples=25, deadline=None)
@given(acts=ACTS, orders=st.permutations(range(6)))
def test_however_moves_overlap_each_is_one_intents_and_the_ledger_agrees(acts: list[Act], orders: list[int]) -> None:
    """Moves of few amounts, all written down before the first took effect: what is done is exactly what happened, under
    as many ids, in whatever order the state lists them, and nothing is unexplained.
    """
    with scene() as s:
        s.hour()
        s.clock.sleep(60)
        intents = [recorded(s, kind, Decimal(amount), 5 + n) for n, (kind, amount, _) in enumerate(acts)]
        happened: Counter[tuple[Kind, Decimal]] = Counter()
        for intent, (_, _, effect) in zip(intents, acts, strict=True):
            if effect == "none":
                continue
            move_id = sent(s, intent)
            happened[intent.kind, intent.quantity] += 1
            if effect == "known":
                known_by(s, intent, move_id)
        shuffled = sorted(s.state.intents, key=lambda i: orders[s.state.intents.index(i) % len(orders)])
        put_state(s, replace(s.state, intents=tuple(shuffled)))
        settle_quietly(s)
        journal = [i for i in s.store.journal() if i.id in {intent.id for intent in intents}]
        done = [intent for intent in journal if intent.status is Status.DONE]
        assert Counter((intent.kind, intent.quantity) for intent in done) == happened
        assert len({(intent.kind, intent.before["move_id"]) for intent in done}) == len(done)
        assert {intent.status for intent in journal} <= {Status.DONE, Status.ABSENT}
        assert s.differences() == {}
        assert not s.state.drift
