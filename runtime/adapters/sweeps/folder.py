"""A sweep's folder: its trials in Parquet, safe against a kill at any moment.

    sweep.json          what this sweep is of: space, plan, candles, code; another one is refused here
    parts/<key>.parquet a trial, written beside its name and renamed, the moment it is done
    trials.parquet      all of them, gathered when the sweep is done; only then the parts are removed
    summary.json        what the sweep ended with
    .sweep.lock         held while a sweep runs here: one at a time

A key that stands both in `trials.parquet` and in a part is one trial: a kill between the two steps doubles nothing.
Pages carry checksums, which are verified: a file that is cut or changed is refused by name, never read as fewer trials.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.json as pj
import pyarrow.parquet as pq

from runtime.domain.trials import STORED, Asked, Outcome, Row
from runtime.errors import BadInput, BadPayload, Unavailable

FORMAT = 1
SWEEP, TRIALS, PARTS, SUMMARY, LOCK = "sweep.json", "trials.parquet", "parts", "summary.json", ".sweep.lock"
_MEANINGS = {
    "history_sha256": "the candles or pools are not those of this sweep: put them back, or name another --out",
    "code": "was begun with other code: go back to it, or name another --out",
    "space": "is another space: only trials may change; give the file another name, or name another --out",
}
_TEXTS = ("key", "part", "history_sha256", "code", "state_sha256", "track_sha256", "refused")
_NUMBERS = ("fold", "number", "start_ms", "end_ms")


class SweepFolder:
    """The trials of one sweep."""

    def __init__(self, folder: Path, parameters: Sequence[str]) -> None:
        """`parameters` are the names of the settings, which become columns."""
        self.folder = folder
        self._parameters = tuple(sorted(parameters))
        self._schema = _schema(self._parameters)
        self._rows: dict[str, Row] = {}

    @contextmanager
    def opened(self, facts: Mapping[str, Any]) -> Iterator[None]:
        """Hold the folder for one sweep; `BadInput` if it is of another one than `facts` name, `Unavailable` if it is
        held, or where the disk does not obey.
        """
        try:
            (self.folder / PARTS).mkdir(parents=True, exist_ok=True)
            with (self.folder / LOCK).open("ab") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise Unavailable(str(self.folder), "another sweep is at work here; wait for its end") from None
                self._identify({"format": FORMAT, **facts})
                self._rows = self._read()
                yield
        except OSError as error:
            raise Unavailable(str(error.filename or self.folder), error.strerror or str(error)) from None

    def known(self) -> Mapping[str, Row]:
        """The rows, by key."""
        return dict(self._rows)

    def keep(self, row: Row) -> None:
        """Write a row's part."""
        self._write(self.folder / PARTS / f"{row.key}.parquet", [row])
        self._rows[row.key] = row

    def compact(self) -> str:
        """Gather all rows; the parts go when the whole stands."""
        path = self.folder / TRIALS
        rows = sorted(self._rows.values(), key=lambda row: (row.asked.fold, row.asked.part, row.asked.number, row.key))
        self._write(path, rows)
        for part in (self.folder / PARTS).iterdir():
            part.unlink()
        return str(path)

    def keep_summary(self, document: Mapping[str, Any]) -> None:
        """Write what the sweep ended with."""
        _place(self.folder / SUMMARY, (json.dumps(document, sort_keys=True, indent=1) + "\n").encode())

    def _identify(self, facts: Mapping[str, Any]) -> None:
        path = self.folder / SWEEP
        try:
            kept = json.loads(path.read_bytes())
        except FileNotFoundError:
            _place(path, (json.dumps(facts, sort_keys=True, indent=1) + "\n").encode())
            return
        except (ValueError, RecursionError) as error:
            raise BadPayload(str(path), str(error), "is damaged; remove the folder and begin anew") from None
        for name, fact in json.loads(json.dumps(facts)).items():
            found = kept.get(name) if isinstance(kept, dict) else None
            if found != fact:
                fix = _MEANINGS.get(name, "is not what this sweep was begun with; name another --out")
                raise BadInput(f"{path}: {name}", found if not isinstance(found, str) else found[:12], fix)

    def _read(self) -> dict[str, Row]:
        whole, rows = self.folder / TRIALS, dict[str, Row]()
        for left in self.folder.glob(".*.[0-9]*"):  # what a kill left unfinished
            left.unlink()
        for path in [*([whole] if whole.exists() else []), *sorted((self.folder / PARTS).iterdir())]:
            if path.suffix == ".parquet":
                rows |= {row.key: row for row in self._rows_in(path)}
            else:
                path.unlink()
        return rows

    def _rows_in(self, path: Path) -> list[Row]:
        try:
            # Not `read_table`, which imports pandas too.
            with pq.ParquetFile(path, page_checksum_verification=True, memory_map=False) as file:
                table = file.read()
        except (pa.ArrowException, OSError, ValueError) as error:
            raise BadPayload(str(path), str(error), "is damaged; remove it: its trials are run again") from None
        if not table.schema.equals(self._schema):
            raise BadPayload(str(path), "other columns", "is not of this sweep; remove it: its trials are run again")
        return [_row(cells, self._parameters) for cells in table.to_pylist()]

    def _write(self, path: Path, rows: Sequence[Row]) -> None:
        # By way of JSON: `from_pylist` imports pandas first, which takes longer than all else that a sweep does alone.
        text = "\n".join(json.dumps(_cells(row), allow_nan=False) for row in rows).encode()
        table = pj.read_json(
            pa.BufferReader(text),
            pj.ReadOptions(use_threads=False, block_size=len(text) + 1),
            pj.ParseOptions(explicit_schema=self._schema, unexpected_field_behavior="error"),
        )
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
        _place(path, sink.getvalue().to_pybytes())


def _schema(parameters: Sequence[str]) -> pa.Schema:
    columns = [(name, pa.string()) for name in _TEXTS] + [(name, pa.int64()) for name in _NUMBERS]
    columns += [(name, pa.string()) for name in parameters] + [(name, pa.float64()) for name in STORED]
    return pa.schema([*columns, ("returns", pa.list_(pa.float64())), ("duration_s", pa.float64())])


def _cells(row: Row) -> dict[str, Any]:
    asked, outcome = row.asked, row.outcome
    return {
        **{name: getattr(row, name) for name in ("key", "history_sha256", "code", "refused", "start_ms", "end_ms")},
        **{name: getattr(asked, name) for name in ("part", "fold", "number")},
        **{name: getattr(outcome, name) for name in ("state_sha256", "track_sha256", "duration_s")},
        "returns": list(outcome.returns),
        **row.parameters,
        **outcome.figures,
    }


def _row(cells: Mapping[str, Any], parameters: Sequence[str]) -> Row:
    figures = {} if cells["refused"] else {name: cells[name] for name in STORED}
    digests = cells["state_sha256"], cells["track_sha256"]
    outcome = Outcome(cells["key"], figures, tuple(cells["returns"]), *digests, cells["duration_s"])
    asked = Asked(cells["part"], cells["fold"], cells["number"])
    named = {name: cells[name] for name in parameters}
    span = cells["start_ms"], cells["end_ms"]
    return Row(asked, named, *span, cells["history_sha256"], cells["code"], outcome, cells["refused"])


def _place(path: Path, data: bytes) -> None:
    """Write a file under its name only when it is whole and on the disk."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
