"""The checks at home: settings, sign-in, store, pool, messenger. Those at the exchange are in `checks_exchange`.

Each function gives checks, or rows that are known without looking. A check notes in the case what others build on. What
concerns past hours (a heartbeat that is old, hours that were missed) is a warning: it does not stop the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from runtime.checkup import Check, Row, Rows, failed, ok, skipped, warning
from runtime.domain.control import Control, Mode
from runtime.domain.ladder import Reading
from runtime.domain.orders import Status
from runtime.domain.pool import PoolRejected, Rung, parse_pool
from runtime.domain.slots import MINUTE_MS, ago_text, date_at, minute_text, slot_at, slots_between
from runtime.domain.state import State
from runtime.errors import SHOWN_MAX, EngineError
from runtime.operations import HEARTBEAT_MINUTES
from runtime.ports import CycleRecord, Lease, Loaded, World
from runtime.run_settings import RunMode, Settings

SHOWN = 6
SIGN_IN, STORE_READ, STORE_WRITE = "google credentials", "state store read", "state store write"
SLOT, CONTROL, HEARTBEAT, MISSED = "slot and lease", "control", "heartbeat", "missed hours"
UPSTREAM, SECRETS = "upstream document", "secrets"
TOKEN, CHAT, CHANNEL = "telegram token", "telegram chat", "second channel"
NO_STATE = "no state document yet"

_STORES = {"firestore": "Firestore", "sqlite": "SQLite"}
_STORE_FIX = "look at the store's status page and this machine's network; an hour cannot run without its store"
_SIGN_IN_FIX = "look at this machine's network, and at the auth step or the key file that signs in"
_UPSTREAM_FIX = "mend the document with its publisher; until then new entries are paused"
_BOT_FIX = "look at this machine's network; copy TG_TOKEN again from @BotFather"
_CHANNEL_FIX = "copy the service's Apprise URL again into ENGINE_CHANNEL_URL"
_NO_CHANNEL = "none is set (ENGINE_CHANNEL_URL): while Telegram is down, alerts wait"
_CHAT_FIX = "put the bot into the chat (a person must press Start), and the chat's number into TG_CHAT_ID"


@dataclass(slots=True)
class Case:
    """What is examined, and what its checks found so far. `offset_ms` is the exchange's clock less this machine's."""

    settings: Settings
    world: World
    deep: bool = False
    offset_ms: int = 0
    prices: Mapping[str, Decimal] = field(default_factory=dict)
    may_trade: bool = True
    account_digest: str = ""
    state: State | None = None
    upstream: Reading | None = None


def settings_row(settings: Settings) -> Row:
    """What will run, in a line; whatever is not as it should be was refused before."""
    hosts = {settings.binance_api, settings.binance_market} - {"https://api.binance.com"}
    elsewhere = f", exchange at {' and '.join(sorted(hosts))}" if hosts and settings.mode is not RunMode.PAPER else ""
    seen = f"mode {settings.mode}, account {settings.account}, store {settings.store}{elsewhere}"
    return ok("settings", seen)


def secrets_row(settings: Settings) -> Row:
    """Where the secrets of this run live: GitHub hands them over, and its job alone knows from where."""
    home, _, where = (settings.secrets_home or "").partition(":")
    if not home:
        return ok(SECRETS, "from this process's own environment")
    if home == "environment":
        return ok(SECRETS, f"of GitHub's environment {where}; what it lacks comes from the repository")
    if where == "private":
        return ok(SECRETS, "of the private repository")
    fix = "make the repository private, or keep them in a protected environment; docs/accounts.md"
    return warning(SECRETS, "of the public repository: every workflow in it can read them", fix)


def sign_in(case: Case) -> Check | Row:
    """Google's credentials: which kind, for whom, and the project that is asked."""
    identity, settings = case.world.identity, case.settings
    if identity is None:
        return skipped(SIGN_IN, "no Google project is set (GOOGLE_CLOUD_PROJECT)")

    def run() -> Rows:
        found = identity()
        account = f" as {found.account}" if found.account else ""
        own = f" (their own project: {found.project})" if found.project not in {"", settings.google_project} else ""
        place = f"project {settings.google_project}, database {settings.firestore_database}"
        return [ok(SIGN_IN, f"{found.kind}{account}; {place}{own}")]

    return Check((SIGN_IN,), run, _SIGN_IN_FIX)


def store(case: Case) -> list[Check]:
    """The state store: read, a probe document written, and what the state says of slot, lease, control and hours."""
    needs = (SIGN_IN,) if case.settings.store == "firestore" and case.world.identity is not None else ()

    def read() -> Rows:
        loaded, control = case.world.store.load(), case.world.store.control()
        case.state = loaded.state
        held = f"{len(loaded.state.open_intents)} open intents" if loaded.state else NO_STATE
        newest = next(iter(case.world.store.cycles(1)), None)
        return [
            ok(STORE_READ, f"{case.settings.store}: {held}"),
            _slot(case.settings, loaded, slot_at(loaded.read_ms)),
            _control(control, loaded.read_ms),
            _heartbeat(newest, loaded.read_ms),
            _missed(loaded),
        ]

    def write() -> Rows:
        case.world.store.probe()
        return [ok(STORE_WRITE, "probe document written and read back")]

    store = _STORES.get(case.settings.store, "")
    return [
        Check((STORE_READ, SLOT, CONTROL, HEARTBEAT, MISSED), read, _STORE_FIX, needs, of=store),
        Check((STORE_WRITE,), write, _STORE_FIX, (STORE_READ,), of=store),
    ]


def _slot(settings: Settings, loaded: Loaded, now: str) -> Row:
    """Slot and lease: an account that is open, a past hour, and no order that nobody knows the outcome of."""
    state = loaded.state
    if state is None or not state.initialised_ms:
        return _unopened(settings)
    seen = f"{state.slot_done or 'no hour'} done; {_lease(loaded.lease, loaded.read_ms)}"
    if state.slot_done > now:
        return failed(SLOT, f"{seen}; now it is {now}", "a run on a wrong clock did this: restore a backup")
    unknown = [intent.id for intent in state.open_intents if intent.status is Status.UNKNOWN]
    if unknown:
        fix = "each hour looks it up again; after 3 hours: python -m runtime orders --settle ID"
        return warning(SLOT, f"{seen}; outcome unknown: {' '.join(unknown[:SHOWN])}", fix)
    return ok(SLOT, seen)


def _unopened(settings: Settings) -> Row:
    if settings.first_run != "refuse":
        return ok(SLOT, f"{NO_STATE}: the first hour makes one ({settings.first_run})")
    fix = "a new account: python -m runtime init; one that has traded: python -m runtime rebuild"
    return warning(SLOT, f"{NO_STATE}: an hour would stop (exit 3)", fix)


def _lease(lease: Lease | None, now_ms: int) -> str:
    if lease is None:
        return "never leased"
    if now_ms < lease.expires_ms:
        return f"leased by a run at work on {lease.slot} until {minute_text(lease.expires_ms)}"
    return f"lease {lease.fence} is over"


def _control(control: Control, now_ms: int) -> Row:
    mode = control.at(now_ms)
    fix = "python -m runtime control run"
    if control.unreadable:
        return failed(CONTROL, f"cannot be read, so nothing is sent: {control.why}", fix)
    if mode is not Mode.RUN:
        return warning(CONTROL, f"{mode}, by {control.who or '-'}: {control.why or '-'}", fix)
    return ok(CONTROL, mode.value)


def _heartbeat(newest: CycleRecord | None, now_ms: int) -> Row:
    if newest is None:
        return skipped(HEARTBEAT, "no hour has ended yet")
    minutes = (now_ms - newest.ended_ms) // MINUTE_MS
    seen = f"{newest.slot} ended {ago_text(minutes)} with exit {newest.exit_code}"
    if minutes > HEARTBEAT_MINUTES:
        return warning(HEARTBEAT, f"{seen}; {HEARTBEAT_MINUTES} allowed", "look at the scheduler and at the runner")
    return ok(HEARTBEAT, seen)


def _missed(loaded: Loaded) -> Row:
    done = loaded.state.slot_done if loaded.state is not None else ""
    if not done:
        return skipped(MISSED, "no hour is done yet")
    missed = slots_between(done, slot_at(loaded.read_ms))
    if missed:
        shown = " ".join(missed[:SHOWN]) + (" ..." if len(missed) > SHOWN else "")
        return warning(MISSED, f"{len(missed)}: {shown}", "look at the scheduler; missed hours are not made up for")
    return ok(MISSED, f"none since {done}")


def upstream(case: Case) -> Check | Row:
    """The publisher's document, each of its marks beside what is expected of it."""
    source = next((source for source in case.world.pools if source.rung is Rung.FRESH_UPSTREAM), None)
    if source is None:
        fix = "name the project that holds it (GOOGLE_CLOUD_PROJECT)"
        return warning(UPSTREAM, "none is set: the pool comes from a lower rung, and new entries are paused", fix)
    needs = (SIGN_IN,) if case.world.identity is not None else ()
    if case.settings.store == "firestore":
        needs = (*needs, STORE_READ)

    def run() -> Rows:
        try:
            payload = source.read()
        except EngineError as error:
            case.upstream = Reading(source.rung, source.where, problem=str(error))
            raise
        case.upstream = Reading(source.rung, source.where, payload=payload)
        return [_judged(payload, case)]

    return Check((UPSTREAM,), run, _UPSTREAM_FIX, needs)


def _judged(payload: Mapping[str, object], case: Case) -> Row:
    ladder, today = case.settings.ladder, date_at(case.world.clock.now_ms())
    version, mode, size, day = (_cut(payload.get(name)) for name in ("version", "mode", "pool_size", "as_of_date"))
    modes = " or ".join(ladder.acceptable_modes)
    seen = f"version {version}; mode {mode} (expected {modes}); size {size} (expected {ladder.expected_size})"
    limit = f"at most {ladder.max_age_days} days"
    try:
        pool = parse_pool(payload, today, ladder)
    except PoolRejected as refusal:
        return failed(UPSTREAM, f"{seen}; as of {day} ({limit}): {refusal}", _UPSTREAM_FIX)
    return ok(UPSTREAM, f"{seen}; {(today - pool.as_of_date).days} days old ({limit})")


def _cut(value: object) -> str:
    shown = str(value)
    return shown if len(shown) <= SHOWN_MAX else shown[: SHOWN_MAX - 3] + "..."


def messenger(case: Case) -> list[Check | Row]:
    """The bot's token and the chat it writes to; nothing is sent."""
    if case.settings.mode is RunMode.PAPER:
        return [skipped(name, "paper prints what it would send") for name in (TOKEN, CHAT)]

    if case.settings.telegram_token is None:
        return [skipped(name, "no bot is set: the second channel tells everything") for name in (TOKEN, CHAT)]

    def run() -> Rows:
        verdicts = case.world.alerter.probe()
        token, chat = verdicts.get(TOKEN, ""), verdicts.get(CHAT, "")
        if token != "ok":  # noqa: S105 - a verdict, no token
            return [failed(TOKEN, token, _BOT_FIX), skipped(CHAT, f"needs {TOKEN}")]
        found = ok(CHAT, "the bot may see it") if chat == "ok" else failed(CHAT, chat, _CHAT_FIX)
        return [ok(TOKEN, "accepted"), found]

    return [Check((TOKEN, CHAT), run, _BOT_FIX)]


def second_channel(case: Case) -> Check | Row:
    """The channel for when Telegram is down: whether its address can be understood; nothing is sent."""
    if case.settings.mode is RunMode.PAPER:
        return skipped(CHANNEL, "paper prints what it would send")
    if case.settings.channel_url is None:
        return skipped(CHANNEL, _NO_CHANNEL)
    channel = case.world.second or case.world.alerter

    def run() -> Rows:
        verdict = channel.probe().get(CHANNEL, "")
        return [ok(CHANNEL, "its address is understood") if verdict == "ok" else failed(CHANNEL, verdict, _CHANNEL_FIX)]

    return Check((CHANNEL,), run, _CHANNEL_FIX)
