"""Channel: the second way to the operator, over any service that Apprise can reach (mail, ntfy, Matrix, a web hook).

The worked problem: the day Telegram is down is the day the breaker trips. So there is a second service, of another
company, named by one Apprise URL. That URL is a secret as a whole: it holds addresses, passwords and keys. Apprise
answers yes or no and logs the rest, with URLs; so a receipt says which kind of service took the alerts or did not, and
nothing else, and what Apprise logs goes nowhere.

Everything of one delivery is one message, in parts where the service allows less: a delivery is taken or not as a
whole. Nothing is raised, and it ends within its total time: the call runs in a thread that is left behind. Apprise is
part of the extra `channels` and is loaded when there is something to tell, so no quiet hour pays for it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from runtime.domain.alerts import Alert, Severity
from runtime.domain.messages import MARKS, plain_text
from runtime.domain.texts import Language, label
from runtime.errors import SettingsError
from runtime.ports import Receipt

SERVICE = "second channel"
MISSING = (
    "ENGINE_CHANNEL_URL: set, but the package `apprise` is not installed – install the extra `channels` "
    "(pip install --no-deps --require-hashes -r .ci/requirements-channels-lock.txt), or unset it"
)
UNKNOWN = "ENGINE_CHANNEL_URL is no address that Apprise knows"
REFUSED = "the service did not take the message"


@dataclass(frozen=True, slots=True)
class Address:
    """Where to send: an Apprise URL. `total_s` bounds one delivery; `runbook_url` is what `docs/runbook/` is relative
    to (empty = no links).
    """

    url: str = field(repr=False)
    total_s: float = 20
    runbook_url: str = ""

    @property
    def service(self) -> str:
        """The kind of service, as the URL begins: `ntfys`, `mailtos`, `json`."""
        return self.url.partition("://")[0].lower()


class ChannelAlerter:
    """The operator's second channel."""

    def __init__(self, address: Address, language: Language) -> None:
        """`SettingsError` where Apprise is not installed; it is only loaded to tell something."""
        if find_spec("apprise") is None:
            raise SettingsError((MISSING,))
        self._address, self._language = address, language

    def __repr__(self) -> str:
        return f"ChannelAlerter({self._address!r})"

    def deliver(self, alerts: Sequence[Alert]) -> Sequence[Receipt]:
        if not alerts:
            return []
        why = self._within(lambda: self._send(alerts))
        name = self._address.service
        return [Receipt(a.id, delivered=not why, permanent=why == UNKNOWN, why=why, channel=name) for a in alerts]

    def probe(self) -> Mapping[str, str]:
        """Whether the address can be understood; no service has a way to ask without sending."""
        return {SERVICE: self._within(lambda: "" if self._target() else UNKNOWN) or "ok"}

    def _send(self, alerts: Sequence[Alert]) -> str:
        target = self._target()
        if target is None:
            return UNKNOWN
        worst = next(severity for severity in MARKS if any(alert.severity is severity for alert in alerts))
        title = f"{MARKS[worst]} {label('severity', worst, self._language)} · {alerts[0].slot}"
        body = plain_text(alerts, self._language, self._address.runbook_url)
        kind = {Severity.CRITICAL: "failure", Severity.WARNING: "warning"}.get(worst, "info")
        return "" if target.notify(title=title, body=body, notify_type=kind) else REFUSED

    def _target(self) -> Any:  # noqa: ANN401 - a class of Apprise's plugins, by the URL; None where there is none
        from apprise import Apprise, OverflowMode  # noqa: PLC0415 - heavy, and part of an extra

        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
        target = Apprise.instantiate(self._address.url)
        if target is not None:
            target.overflow_mode = OverflowMode.SPLIT
        return target

    def _within(self, work: Any) -> str:  # noqa: ANN401 - a function without arguments that says what went wrong
        """What `work` says, within the total time; what it raises quotes URLs, so only the name of its type leaves."""
        said: list[str] = []

        def run() -> None:
            try:
                said.append(work())
            except (OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError) as error:
                said.append(type(error).__name__)

        caller = threading.Thread(target=run, daemon=True)
        caller.start()
        caller.join(self._address.total_s)
        return said[0] if said else f"no answer within {self._address.total_s:g} s"
