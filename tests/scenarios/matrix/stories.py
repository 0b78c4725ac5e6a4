"""Stories worth telling by name: one for each guard, short enough to be told whenever the guard is in doubt.

Each of them goes wrong as soon as its guard is taken away (`tests/scenarios/guards.toml`).
"""

from __future__ import annotations

from collections.abc import Mapping

STORIES: Mapping[str, str] = {
    "journal_first": "exit sqlite kill=exchange.send_order@1+ second=- rerun=lease storm=1 weather=-",
    "journal_first_earn": "redeem sqlite kill=exchange.send_earn@1+ second=- rerun=lease storm=1 weather=-",
    "look_up_twice": "exit sqlite kill=- second=- rerun=lease storm=2 weather=order:answer_lost@1,lag",
    "fence_waited": "exit sqlite kill=- second=- rerun=lease storm=2 weather=order:effect_in_10s@1",
    "fence_back_end": "exit sqlite kill=- second=- rerun=lease storm=2 weather=order:effect_in_10s@1,lag",
    "fence_shown": "exit sqlite kill=- second=- rerun=now storm=2 weather=order:slow_way_effect_in_10s@1,lag",
    "atomic_close": "exit sqlite kill=store.commit@2+ second=- rerun=lease storm=1 weather=-",
    "recovery_first": "exit sqlite kill=exchange.send_order@1+ second=- rerun=lease storm=1 weather=-",
    "earn_by_record": "redeem sqlite kill=- second=- rerun=next storm=2 weather=earn_in_two_hours",
    "earn_fence": "redeem sqlite kill=- second=- rerun=lease storm=2 weather=redeem:effect_in_10s@1,records_lag",
    "unknown_is_not_refused": "exit sqlite kill=- second=- rerun=lease storm=1 weather=order:answer_lost@1",
    "attempts_rise": "exit sqlite kill=exchange.send_order@1+ second=- rerun=lease storm=1 weather=partial",
    "outbox_with_commit": "exit sqlite kill=store.commit@2+ second=- rerun=lease storm=1 weather=-",
    "outbox_kept": "exit sqlite kill=- second=- rerun=next storm=1 weather=phone_down",
    "left_to_the_holder": "redeem sqlite kill=market.prices@1~ second=- rerun=lease storm=1 weather=-",
    "pause_heeded": "exit sqlite kill=- second=- rerun=now storm=1 weather=order:limit_429@1",
    "entries_with_state": "first sqlite kill=exchange.send_order@1+ second=- rerun=lease storm=1 weather=-",
    "unsettled_left_alone": (
        "exit sqlite kill=exchange.send_order@1+ second=- rerun=lease storm=2 weather=find:error_500@0"
    ),
}
