"""Closing: persist, then tell, however the hour went.

The slot is complete only with one fenced write that holds the state, the slot's document and the alerts still to be
told. Only then is anything told; what a channel does not take stays in the outbox for a later hour. An hour that could
not write tells directly, on every channel it has, and through its exit line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from runtime.conditions import missed_slots, observe_conditions
from runtime.domain.alerts import Alert, AlertKind, new_alert, queued
from runtime.domain.changing import changed
from runtime.domain.dependencies import BINANCE, OPEN_AFTER, after_abort, is_open, worked
from runtime.domain.documents import encode
from runtime.domain.ladder import status_after
from runtime.domain.report import CycleStatus, Report, to_document
from runtime.domain.slots import minute_text
from runtime.domain.state import State, encode_state
from runtime.domain.why import card_of, packed
from runtime.errors import (
    ClockSkewed,
    EngineError,
    LeaseLost,
    LocationBlocked,
    LostState,
    Misconfigured,
    NewAccount,
    OtherAccount,
    RateLimited,
    SettingsError,
    Stopped,
    StoreError,
    Unavailable,
    WithdrawKey,
)
from runtime.hour import LEASE_S, Hour
from runtime.ports import Changes, CycleRecord, Held, Loaded, World
from runtime.reporting import MISSED_KEPT, outcome_of, report_of, short_report, summary, this_hours
from runtime.run_settings import Settings
from runtime.telling import tell_at_once, told


def finish(hour: Hour) -> Report:
    """Persist a completed hour, tell it, release the lease."""
    hour.count_minutes()
    observe_conditions(hour)
    report = report_of(hour, outcome_of(hour))
    hour.state = _after(hour)
    report, document = _keep(hour, report)
    figures, card = (summary(report), packed(card_of(document))) if document else ({}, "")
    digest = document.get("sha256", "")
    record = CycleRecord(hour.slot, report.exit_code, hour.now_ms(), digest, hour.tape.head, figures, card)
    try:
        hour.commit(this_hours(hour), cycle=record)
    except StoreError as error:
        return _could_not_write(hour, error)
    return _tell(hour, report)


def _after(hour: Hour) -> State:
    """The state that the next hour finds."""
    before, resolution, now_ms = hour.state, hour.resolution, hour.now_ms()
    seen, noticed, hour.incidents = hour.observed.prices, hour.incidents, None
    return changed(
        before,
        incidents=before.incidents if noticed is None else noticed,
        slot_done=hour.slot,
        missed=missed_slots(hour)[-MISSED_KEPT:] or before.missed,
        pool=resolution.accepted if resolution else before.pool,
        pool_status=status_after(before.pool_status, resolution, hour.slot) if resolution else None,
        prices=seen if before.prices.keys() <= seen.keys() else {**before.prices, **seen},
        reconciled_ms=now_ms,
        dependencies=worked(before.dependencies, BINANCE, now_ms) if before.dependencies else before.dependencies,
        status_told=hour.status_told or before.status_told,
        intents=tuple([i for i in before.intents if i.open or i.slot == hour.slot]) if before.intents else (),
        outbox=queued(before.outbox, hour.alerts) if hour.alerts else before.outbox,
    )


def _keep(hour: Hour, report: Report) -> tuple[Report, Mapping[str, Any]]:
    """Write report and tape; an hour is not lost because a disk is full. The document is the report as it is kept,
    which cannot know that keeping it failed; empty where nobody keeps any.
    """
    if not hour.world.told:
        return report, {}
    document = to_document(report)
    hour.tape.record("calls", hour.world.witnessed(hour.snapshot if hour.decision is not None else None))
    hour.tape.record("intents", [encode(intent) for intent in this_hours(hour)])
    hour.tape.record("entries", [encode(entry) for entry in hour.entries])
    hour.tape.record("state_after", hour.state, encode_state)
    hour.tape.record("report", {key: value for key, value in document.items() if key != "run"})
    places = {}
    try:
        places["report"] = hour.world.reports.write_report(hour.slot, document, hour.world.render(report))
        places["tape"] = hour.world.reports.write_tape(hour.slot, hour.tape.lines)
    except Unavailable as error:
        hour.problems["report"] = str(error)
    kept = {name: place for name, place in places.items() if place}
    return changed(report, places=kept, problems={**report.problems, **hour.problems}), document


def _tell(hour: Hour, report: Report) -> Report:
    """Deliver the outbox and release the lease; what was not taken waits for a later hour, and so does everything
    where this process was told to stop.
    """
    if not hour.world.stop():
        report = _deliver(hour, report)
    try:
        hour.commit(release=True)
    except StoreError as error:
        hour.problems["release"] = str(error)
    return report


def _deliver(hour: Hour, report: Report) -> Report:
    """Tell everything that waits, this hour's alerts included; what was not taken stays in the outbox. The report, with
    what became of each, in the place of the one that was kept before.
    """
    if not hour.alerts and not hour.state.outbox:
        return report
    waiting = queued(hour.state.outbox, hour.alerts)
    hour.state, receipts = told(hour.world, changed(hour.state, outbox=waiting), hour.now_ms())
    hour.alerts.clear()
    report = changed(report, receipts=receipts)
    try:
        if "report" in report.places:
            hour.world.reports.amend_report(report.places["report"], to_document(report), hour.world.render(report))
    except Unavailable as error:
        report = changed(report, problems={**report.problems, "receipts": str(error)})
    return report


def _could_not_write(hour: Hour, error: StoreError) -> Report:
    status = CycleStatus.FAILED_ORDERS if hour.sent else CycleStatus.ABORTED
    _leave_to_the_holder(hour, error)
    receipts = tell_at_once(hour.world, [*hour.alerts, alert_for(hour.slot, error, sent=hour.sent > 0)])
    return replace(report_of(hour, status, f"the hour could not be written down: {error}"), receipts=receipts)


def _leave_to_the_holder(hour: Hour, error: EngineError) -> None:
    """A lease that is lost means that the account is another run's by now, and so is all that there is to tell of it:
    what this one saw may be that run's own doing, read as a drift.
    """
    if isinstance(error, LeaseLost):
        hour.alerts.clear()
        hour.state = changed(hour.state, outbox=())


def abort(settings: Settings, world: World, slot: str, error: EngineError, hour: Hour | None = None) -> Report:
    """End an hour that went wrong: exit 2 or 3 before the first send, 4 after it. The alert goes to the outbox if the
    store still takes it, else directly to every channel.
    """
    if isinstance(error, Stopped):
        return _stopped(settings, slot, error, hour)
    status = CycleStatus.ABORTED
    if isinstance(error, SettingsError):
        status = CycleStatus.BAD_SETTINGS
    elif hour is not None and hour.sent:
        status = CycleStatus.FAILED_ORDERS
    if hour is None:
        receipts = tell_at_once(world, [alert_for(slot, error, sent=False)])
        return replace(short_report(settings, slot, status, str(error)), receipts=receipts)
    _note_abort(hour, error)
    report, _ = _keep(hour, report_of(hour, status, str(error)))
    report = _deliver(hour, report)
    if not isinstance(error, StoreError):
        try:
            hour.commit(release=True)
        except StoreError as second:
            hour.problems["release"] = str(second)
    return report


def _note_abort(hour: Hour, error: EngineError) -> None:
    """Remember what it says of the exchange, and tell it: once and then at growing intervals while hours end like this
    before they send anything, every time after that.
    """
    _leave_to_the_holder(hour, error)
    hour.count_minutes()
    hour.usage = hour.world.usage()
    before, alert = hour.state.dependencies, alert_for(hour.slot, error, sent=hour.sent > 0)
    after = after_abort(before, error)
    hour.state = changed(hour.state, dependencies=after)
    if hour.sent:
        hour.alerts.append(alert)
    else:
        hour.lasting(AlertKind(alert.kind), **alert.facts)
    if is_open(after, BINANCE) and not is_open(before, BINANCE):
        why = (
            f"{BINANCE} failed {OPEN_AFTER} hours in a row; each hour now begins with one probe and ends where it fails"
        )
        hour.tell(AlertKind.ABORTED, BINANCE, why=why)


def alert_for(slot: str, error: EngineError, *, sent: bool) -> Alert:
    """The alert that tells why an hour ended early."""
    facts = {"why": str(error)} | ({"step": "execution"} if sent else {})
    if isinstance(error, Misconfigured):
        facts |= {"what": error.what, "why": error.why, "fix": error.fix}
    if isinstance(error, ClockSkewed):
        facts = {"skew": str(error.skew_ms), "limit": str(error.limit_ms)}
    if isinstance(error, RateLimited):
        facts = {"what": error.what, "until": minute_text(error.retry_at_ms)}
    if isinstance(error, WithdrawKey | OtherAccount):
        facts = {"account": error.account}
    kinds = (kind for known, kind in _KINDS if isinstance(error, known))
    return new_alert(next(kinds, AlertKind.UNEXPECTED if sent else AlertKind.ABORTED), slot, facts)


_KINDS: tuple[tuple[type[EngineError], AlertKind], ...] = (
    (LostState, AlertKind.LOST_STATE),
    (NewAccount, AlertKind.NEW_ACCOUNT),
    (ClockSkewed, AlertKind.CLOCK_SKEW),
    (OtherAccount, AlertKind.OTHER_ACCOUNT),
    (LocationBlocked, AlertKind.LOCATION_BLOCKED),
    (Misconfigured, AlertKind.MISCONFIGURED),
    (RateLimited, AlertKind.RATE_LIMITED),
    (WithdrawKey, AlertKind.WITHDRAW_KEY),
    (SettingsError, AlertKind.SETTINGS),
)


def _stopped(settings: Settings, slot: str, error: Stopped, hour: Hour | None) -> Report:
    """End an hour that was told to stop: write down what it knows and give the lease back, so that the next run may
    go on at once. Whoever stops a job kills it some seconds later, so the telling is left to that run.
    """
    if hour is None:
        return short_report(settings, slot, CycleStatus.STOPPED, str(error))
    status = CycleStatus.CUT_SHORT if hour.sent else CycleStatus.STOPPED
    hour.count_minutes()
    hour.tell(AlertKind.STOPPED, why=str(error), sent=str(hour.sent))
    report, _ = _keep(hour, report_of(hour, status, str(error)))
    try:
        hour.commit(release=True)
    except StoreError as second:
        _leave_to_the_holder(hour, second)
        receipts = tell_at_once(hour.world, hour.alerts)
        return changed(report, receipts=receipts, problems={**report.problems, "release": str(second)})
    return report


def flush_only(settings: Settings, world: World, loaded: Loaded, slot: str, held: Held | None = None) -> Report:
    """End a run whose slot is done, cleanly; alerts that an earlier hour could not deliver get another attempt."""
    state = loaded.state
    if state is not None and (state.outbox or held is not None):
        try:
            lease = held or world.store.take_lease(loaded, world.owner, slot, LEASE_S)
            after, receipts = told(world, state, world.clock.now_ms())
            world.store.commit(lease, Changes(after, release=True))
            return replace(short_report(settings, slot, CycleStatus.SLOT_DONE), receipts=receipts)
        except LeaseLost:
            return lease_held(settings, slot)
        except StoreError as error:
            return short_report(settings, slot, CycleStatus.ABORTED, str(error))
    return short_report(settings, slot, CycleStatus.SLOT_DONE)


def lease_held(settings: Settings, slot: str) -> Report:
    """End a run that came second. The outbox is the holder's: it tells at its end, and telling twice helps nobody."""
    return short_report(settings, slot, CycleStatus.LEASE_HELD)
