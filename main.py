"""One hour: read the settings, wire the world, run the cycle, say in one line how it ended."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from runtime.command import (
    arguments,
    bad_settings,
    heed_signals,
    keep_to_ourselves,
    shown,
    tell_aside,
    tell_unexpected,
    unexpected,
)
from runtime.config import read_settings
from runtime.cycle import run_cycle
from runtime.domain.texts import Language
from runtime.errors import SettingsError
from runtime.wiring import wired
from runtime.wiring_channels import leave_metrics


def main(argv: Sequence[str] | None = None) -> int:
    """Run one hour (or, with --validate-only, prove that one could run); returns the exit code."""
    given = arguments(argv)
    try:
        if given.validate_only:
            from runtime.doctor import consult

            return consult(given, wired)
        settings = read_settings(given.overrides)
        with wired(settings, given.write, stop=heed_signals()) as wiring:
            try:
                report = run_cycle(wiring.settings, wiring.strategy, wiring.world)
            except Exception as error:  # told here, while there is a messenger; the exit line follows below
                tell_unexpected(wiring.world, error)
                raise
            tell_aside(leave_metrics(wiring.settings, report, wiring.world.clock.now_ms()))
            if given.summary is not None:
                given.summary.tell_hour(report, Language(settings.language), wiring.world)
            if wiring.mailbox is not None and not wiring.world.stop():
                wiring.mailbox.answer()
            return shown(report, given, settings.language)
    except SettingsError as error:
        return bad_settings(error, given)
    except Exception as error:  # the last line of defence: an hour must always end with its exit line
        return unexpected(error, given)


if __name__ == "__main__":
    keep_to_ourselves()
    sys.exit(main())
