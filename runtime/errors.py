"""The errors of the engine, sorted by what the reader may do next.

    EngineError
    ├── SettingsError            the settings are wrong; nothing was sent                  exit 2
    │   └── WithdrawKey          the API key may withdraw, and no setting allows that by name
    ├── BadCandles               a folder of candles cannot be used; all that is wrong with it    exit 2
    ├── BadInput                 a payload, file or series is wrong: names field, value and fix
    │   ├── BadSeries            one symbol's candles cannot be trusted
    │   └── BadPayload           an answer or a file does not have its documented shape
    ├── Abort                    the hour stops before trading                             exit 3
    │   ├── LostState            orders of ours exist, but no state document
    │   ├── NewAccount           neither a state document nor orders of ours
    │   ├── OtherAccount         the API key is another account's than the one that the state is of
    │   └── ClockSkewed          this machine's clock and the exchange's disagree
    ├── Stopped                  this process was told to end; nothing new is sent         exit 3, or 4 after a send
    ├── Unavailable              a dependency did not answer; nothing was changed; may be tried later
    │   └── RateLimited          it said when: `retry_at_ms`
    ├── Misconfigured            a human must change something (401, 403, wrong token)
    │   └── LocationBlocked      451: the exchange does not serve the place this machine stands in
    ├── StoreError
    │   ├── StoreUnavailable     the store did not answer
    │   ├── StoreMisconfigured   a human must change something at the store; also Misconfigured
    │   ├── LeaseLost            the lease is no longer ours: nothing was written
    │   └── StateUnreadable      the stored document is newer or malformed
    └── Rejected                 the exchange answered a read or an Earn call with a definite no (`code`)

The outcome of *sending* an order is never an exception: it is a value (`domain.orders.Outcome`), because "unknown"
must be handled, not propagated.
"""

from __future__ import annotations

SHOWN_MAX = 80


class EngineError(Exception):
    """Any error the engine raises on purpose. Its text is fit for an operator and holds no secret."""


class BadInput(EngineError):
    """Input that is wrong: the text names the field, the value and the fix."""

    def __init__(self, field: str, value: object, fix: str) -> None:
        """`field` is the path of the offending item, `fix` what it should be."""
        shown = repr(value)
        super().__init__(f"{field}: {shown if len(shown) <= SHOWN_MAX else shown[: SHOWN_MAX - 3] + '...'} – {fix}")
        self.field, self.value, self.fix = field, value, fix


class SettingsError(EngineError):
    """All that is wrong with the settings, in one text (exit 2)."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        """`problems` holds one line each, naming the setting, the value and the fix."""
        super().__init__("settings: " + "; ".join(problems))
        self.problems = problems


class WithdrawKey(SettingsError):
    """The account's API key may withdraw: no hour trades with it unless a setting names the account."""

    def __init__(self, account: str) -> None:
        """`account` is what the setting would have to name."""
        problem = f"BINANCE_API_KEY: the key of account {account} may withdraw – take that right from it at Binance"
        super().__init__((f"{problem}; to trade with it all the same, set ENGINE_ALLOW_WITHDRAW_KEY={account}",))
        self.account = account


class BadCandles(EngineError):
    """All that is wrong with a folder of candles, a line each (exit 2)."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        """`problems` name file, row, value and fix."""
        super().__init__("\n".join(problems))
        self.problems = problems


class BadSeries(BadInput):
    """A symbol's candles cannot be trusted; the symbol's indicators are missing, others go on."""


class BadPayload(BadInput):
    """An answer or a file does not have the documented shape."""


class Abort(EngineError):
    """The hour stops before trading (exit 3)."""


class LostState(Abort):
    """Orders of ours exist at the exchange, but the store holds no state: `rebuild` is needed."""


class NewAccount(Abort):
    """No state and no orders of ours: `init` is needed."""


class OtherAccount(Abort):
    """The API key answers for another account at the exchange than the one that the state is of."""

    def __init__(self, account: str) -> None:
        """`account` is the name of the state's account here."""
        super().__init__(
            f"BINANCE_API_KEY: the key is another Binance account's than the one that the state of account {account}"
            " was kept for – put the key of that account back; if this one really takes its place:"
            " python -m runtime account --accept --why TEXT"
        )
        self.account = account


class ClockSkewed(Abort):
    """The local clock and the exchange's differ by more than the limit."""

    def __init__(self, skew_ms: int, limit_ms: int) -> None:
        """`skew_ms` is the exchange's clock - the local one."""
        super().__init__(f"clock: this machine and the exchange differ by {skew_ms} ms, the limit is {limit_ms} ms")
        self.skew_ms, self.limit_ms = skew_ms, limit_ms


class Stopped(EngineError):
    """This process was told to end by a signal: nothing new is begun; the text names the signal."""


class Unavailable(EngineError):
    """A dependency did not answer usefully; nothing was changed by us; may be tried later."""

    def __init__(self, what: str, why: str) -> None:
        """`what` names the dependency and call, `why` the cause, without secrets."""
        super().__init__(f"{what}: {why}")
        self.what, self.why = what, why


class RateLimited(Unavailable):
    """429 or 418: no request before `retry_at_ms` (epoch ms, exchange clock)."""

    def __init__(self, what: str, why: str, retry_at_ms: int) -> None:
        """`retry_at_ms` is the end of the pause the dependency asked for."""
        super().__init__(what, why)
        self.retry_at_ms = retry_at_ms


class Misconfigured(EngineError):
    """A human must change something: credentials, permission, location, chat."""

    def __init__(self, what: str, why: str, fix: str) -> None:
        """`fix` says what the human should do."""
        super().__init__(f"{what}: {why} – {fix}")
        self.what, self.why, self.fix = what, why, fix


class LocationBlocked(Misconfigured):
    """The exchange refuses the place this machine stands in; nothing but another place helps."""


class StoreError(EngineError):
    """The state store failed; the text says whether anything was written."""


class StoreUnavailable(StoreError):
    """The store did not answer, or what it did is not known."""


class StoreMisconfigured(Misconfigured, StoreError):
    """A human must change something at the store: it is the store that failed, and nothing was written."""


class LeaseLost(StoreError):
    """Another run holds the lease or changed the state: nothing was written."""


class StateUnreadable(StoreError):
    """The stored document is malformed, or of a newer schema than this code knows."""


class Rejected(EngineError):
    """A definite no of the exchange to a read or an Earn call."""

    def __init__(self, what: str, code: int, message: str) -> None:
        """`code` is Binance's error code."""
        super().__init__(f"{what}: {code} {message}")
        self.what, self.code, self.message = what, code, message
