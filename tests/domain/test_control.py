"""The kill switch: what is in force, and that nothing unreadable ever runs."""

from __future__ import annotations

import pytest

from runtime.domain.control import Control, Mode


@pytest.mark.parametrize("mode", list(Mode))
def test_an_unreadable_control_halts_whatever_its_mode_and_expiry_say(mode: Mode) -> None:
    """Neither the default mode nor an expiry turns a control that nobody could read into permission."""
    assert Control(mode, expires_ms=10, unreadable=True).at(now_ms=20) is Mode.HALT
    assert Control(mode, unreadable=True).at(now_ms=0) is Mode.HALT


def test_a_mode_holds_until_its_expiry_and_runs_from_then_on() -> None:
    """The expiry is the first moment at which the mode is no longer in force."""
    control = Control(Mode.REDUCE_ONLY, expires_ms=1_000)
    assert control.at(999) is Mode.REDUCE_ONLY
    assert control.at(1_000) is Mode.RUN


def test_a_mode_without_expiry_never_ends() -> None:
    """Only the operator ends what the operator set without an end."""
    assert Control(Mode.HALT).at(10**15) is Mode.HALT
