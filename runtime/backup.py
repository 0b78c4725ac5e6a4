"""Backup: an account's documents into a file, back into a store, and from one store to the other.

A backup only reads. It takes no lease, because a lease would turn away an hour that starts meanwhile; that no hour
wrote while it read is proved by the state document, which every hour's write changes.

A restore, and a move, first put an empty state marked `restoring` under a lease of their own in the target. From then
on no hour accepts the account until the last write puts the real state in place. So a restore that dies leaves an
account that nothing trades on, and running it again begins anew. What was written is read back and compared first.

The worked problem of a move is two stores that are both alive: two hours, each with its lease, each with its orders. So
the source is marked `moved_to` before the target is opened. A move that dies in between leaves both closed, and running
it again opens the target.

The kill switch is never loosened: where the target's control is the stricter one, it stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Protocol

from runtime.domain.archive import Header, Reader, Section, Stored, Tally, header_line, tallied
from runtime.domain.control import Control, Mode
from runtime.domain.documents import canonical, decode
from runtime.domain.slots import slot_at
from runtime.domain.state import State, decode_state, refuse_unusable
from runtime.errors import Abort, BadInput, LeaseLost, StateUnreadable, StoreError
from runtime.hour import LEASE_S
from runtime.ports import Changes, Held, Loaded, Store
from runtime.records import Records

BATCH_DOCUMENTS = 200
BATCH_BYTES = 2_000_000
"""One write holds no more: Firestore takes 10 MiB a request."""

RENEWED_AFTER = 10
"""Batches after which the lease is taken anew, so that a long copy does not outlive it."""

_STRICTNESS = (Mode.RUN, Mode.REDUCE_ONLY, Mode.HALT)
_NO_STATE = "there is no state document: nothing to copy"


class Archive(Store, Records, Protocol):
    """A store that can be copied whole: one account's documents out of it and into it."""

    def dump(self) -> Iterator[Stored]:
        """Every document but the lease, section by section; `StateUnreadable` where one is no document."""

    def empty(self, owner: str, seconds: int, restoring: str) -> Held:
        """Take the lease and leave nothing but an empty state marked `restoring`, and the control.

        `LeaseLost` while an hour's lease lives, with nothing changed; an unfinished restore's is taken over.
        """

    def put(self, held: Held, stored: Sequence[Stored]) -> Held:
        """Write documents other than the state as they are; `LeaseLost` if anybody wrote since `held`."""


class File(Protocol):
    """Where an archive's lines are kept."""

    def write(self, lines: Iterable[str], first: Callable[[], str]) -> str:
        """Keep `first()`, asked for last, and `lines`, whole or not at all; their digest."""

    def lines(self) -> Iterator[str]:
        """The lines."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where documents are written: a store, whose account, in whose name, and `force`: the account whose state may be
    overwritten ("" = none may).
    """

    store: Archive
    account: str
    owner: str
    force: str = ""


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied: up to which hour, how many documents by section, the digest, and the control that was kept."""

    slot_done: str
    documents: Mapping[str, int]
    digest: str = ""
    control_kept: str = ""


def back_up(store: Archive, file: File, account: str, *, cache: bool = False, secrets: Sequence[str] = ()) -> Copied:
    """Write every document of `account` into `file`; the candle cache only if asked for, as it can be fetched again.

    `Abort`, and no file, while an hour is at work, or if a document holds one of `secrets`.
    """
    loaded = store.load()
    state = _alone(loaded, account)
    tally, schema = Tally(), state.schema_version

    def checked() -> Iterator[str]:
        wanted = (d for d in store.dump() if cache or d.section is not Section.CACHE)
        for line in tally.lines(wanted):
            if any(secret in line for secret in secrets):
                raise Abort("backup: a document holds a secret of the settings: no file was written")
            yield line
        if store.load().token != loaded.token:
            raise Abort("backup: an hour wrote meanwhile; try again when it has ended")

    def header() -> str:
        return header_line(Header(account, state.slot_done, loaded.read_ms, schema, tally.by_name()))

    digest = file.write(checked(), header)
    return Copied(state.slot_done, tally.by_name(), digest)


def restore(file: File, target: Target, source_account: str = "", *, check: bool = False) -> Copied:
    """Write the archive in `file` into the target's store and open the account with its last hour.

    `BadInput` where the file is damaged or another account's (unless that is `source_account`), `Abort` where the
    target holds something that was not named; then nothing was changed. With `check` nothing is changed anyway.
    """
    reader = Reader(file.lines())
    header = reader.header()
    if header.account not in {target.account, source_account}:
        raise BadInput("archive, account", header.account, f"must be {target.account!r}, or be named as the file's own")
    state, tally = _proved(reader)
    _may_overwrite(target, state)
    if check:
        return Copied(state.slot_done, tally.by_name(), reader.digest)
    documents = Reader(file.lines()).documents()
    mark = f"restore of the backup of {header.slot_done or 'no hour'} (sha256 {reader.digest})"
    held, kept = _filled(target, documents, mark)
    _compare(tally.digests, target.store)
    target.store.commit(held, Changes(replace(state, account=target.account), release=True))
    return Copied(state.slot_done, tally.by_name(), reader.digest, kept)


def move(source: Archive, target: Target, here: str, there: str) -> Copied:
    """Copy the account from `source` into the target's store and leave `source` marked as moved `there`.

    `here` and `there` name the two stores as settings do. Run again after it was cut, it goes on.
    """
    loaded = source.load()
    if loaded.state is not None and loaded.state.moved_to == there:
        state = replace(loaded.state, moved_to="")
        if not _restoring(target.store):
            raise Abort(f"account {target.account} was moved already, to {there}")
    else:
        state = _alone(loaded, target.account)
    _may_overwrite(target, state, moving=True)
    ours = source.take_lease(loaded, target.owner, slot_at(loaded.read_ms), LEASE_S)
    held, kept = _filled(target, source.dump(), f"move from {here}")
    tally = tallied(source.dump())
    _compare(tally.digests, target.store)
    source.commit(ours, Changes(replace(state, moved_to=there), release=True))
    target.store.commit(held, Changes(state, release=True))
    return Copied(state.slot_done, tally.by_name(), control_kept=kept)


def _alone(loaded: Loaded, account: str) -> State:
    """The state of an account that lives here and that no hour is working on."""
    refuse_unusable(loaded.state, account)
    if loaded.state is None or not loaded.state.initialised_ms:
        raise Abort(_NO_STATE)
    if _leased(loaded):
        raise Abort("an hour is at work on the account: try again when it has ended")
    return loaded.state


def _leased(loaded: Loaded) -> bool:
    return loaded.lease is not None and loaded.read_ms < loaded.lease.expires_ms


def _restoring(store: Archive) -> bool:
    state = store.load().state
    return state is not None and bool(state.restoring)


def _proved(reader: Reader) -> tuple[State, Tally]:
    """The state of an archive that was read to its end, and the counts and digests of its sections."""
    bodies = []

    def passing() -> Iterator[Stored]:
        for document in reader.documents():
            if document.section is Section.STATE:
                bodies.append(document.body)
            yield document

    tally, header = tallied(passing()), reader.header()
    if len(bodies) != 1:
        raise BadInput("archive, state", len(bodies), "must be one document")
    state = decode_state(bodies[0])
    if (state.account, state.slot_done) != (header.account, header.slot_done) or not state.initialised_ms:
        raise BadInput("archive, state", f"{state.account} {state.slot_done}", "must be what the header names")
    return state, tally


def _may_overwrite(target: Target, state: State, *, moving: bool = False) -> None:
    """`Abort` where the target holds a state that may not be lost for `state`: an hour's at work, or one not named."""
    try:
        found = _worth_keeping(target.store.load(), state, moving=moving)
    except StateUnreadable as error:
        found = f"a state that cannot be read ({error})"
    if found and target.force != target.account:
        raise Abort(f"the target holds {found}: to overwrite it, name the account: --force {target.account}")


def _worth_keeping(loaded: Loaded, state: State, *, moving: bool) -> str:
    """What the target would lose; "" for nothing."""
    there = loaded.state
    if there is None or there.restoring:
        return ""
    if _leased(loaded):
        raise Abort("an hour is at work on the target: try again when it has ended")
    if not there.initialised_ms:
        return ""
    age = "newer than" if there.slot_done > state.slot_done else "beside"
    if there.moved_to:
        stale = moving and there.slot_done <= state.slot_done
        return "" if stale else f"what was moved to {there.moved_to}, hour {there.slot_done or 'none'}"
    return f"a state of hour {there.slot_done or 'none'}, {age} the {state.slot_done or 'none'} that would replace it"


def _filled(target: Target, documents: Iterator[Stored], mark: str) -> tuple[Held, str]:
    """Empty the target and put `documents` in, all but the state; our lease, and the control that was kept, if any."""
    store, current = target.store, target.store.control()
    held = store.empty(target.owner, LEASE_S, mark)
    now_ms = held.lease.expires_ms - LEASE_S * 1000
    first = next(documents, None)
    theirs = _control(first)
    kept = _STRICTNESS.index(current.at(now_ms)) > _STRICTNESS.index(theirs.at(now_ms))
    skipped = {Section.STATE, Section.CONTROL} if kept else {Section.STATE}
    wanted = (d for d in chain([first] if first else [], documents) if d.section not in skipped)
    for number, batch in enumerate(_batches(wanted), 1):
        held = store.put(held if number % RENEWED_AFTER else _renewed(target, held), batch)
    return held, current.at(now_ms).value if kept else ""


def _control(document: Stored | None) -> Control:
    """The control in the first document of an archive; one that cannot be read halts, none runs."""
    if document is None or document.section is not Section.CONTROL:
        return Control()
    try:
        return decode(Control, document.body, "control", required=("mode",))
    except StateUnreadable:
        return Control(Mode.HALT, unreadable=True)


def _batches(documents: Iterable[Stored]) -> Iterator[list[Stored]]:
    """The documents in portions that fit one write."""
    batch: list[Stored] = []
    size = 0
    for document in documents:
        length = len(canonical(document.body))
        if batch and (len(batch) == BATCH_DOCUMENTS or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(document)
        size += length
    if batch:
        yield batch


def _renewed(target: Target, held: Held) -> Held:
    """Our lease with a new end; `LeaseLost` if anybody wrote since."""
    loaded = target.store.load()
    if loaded.token != held.token:
        raise LeaseLost("restore: another run wrote to the target; this one writes no more")
    return target.store.take_lease(loaded, target.owner, slot_at(loaded.read_ms), LEASE_S)


def _compare(digests: Mapping[Section, str], store: Archive) -> None:
    """`StoreError` where the target does not hold what was copied. The control may be the target's own, and a cache
    that is too large for Firestore is left out.
    """
    written = tallied(store.dump()).digests
    for section in (Section.CYCLES, Section.JOURNAL, Section.LEDGER):
        if written[section] != digests[section]:
            raise StoreError(
                f"{section}: the target does not hold what was written; the account stays closed: try again"
            )
