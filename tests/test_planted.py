"""The search for secrets finds them in every form, packed and in part; otherwise its silence would mean nothing."""

from __future__ import annotations

import base64
import gzip
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support.planted import API_KEY, BOT_TOKEN, CHAT, PLANTED, Planted, files, leaks, signatures


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
@pytest.mark.parametrize(
    "form",
    [
        lambda value: value,
        lambda value: value[::-1],
        lambda value: value.encode().hex(),
        lambda value: quote(value, safe=""),
        *(
            lambda value, lead=lead: base64.b64encode(f"{'x' * lead}{value} and more".encode()).decode()
            for lead in range(3)
        ),
        lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    ],
)
def test_a_secret_is_found_in_every_form(planted: Planted, form: object) -> None:
    assert callable(form)
    assert leaks({"a log": f'{{"said": "{form(planted.value)}", "x": 1}}'}) == [f"a log: {planted.name}"]


def test_half_a_secret_is_found_and_a_few_characters_are_not() -> None:
    assert leaks({"cut": f"...{API_KEY[:20]}"}) == ["cut: API key"]
    assert leaks({"cut": f"{API_KEY[-20:]}..."}) == ["cut: API key"]
    assert leaks({"start": API_KEY[:6], "words": "an API key, a bot token, a chat"}) == []


def test_archives_and_stores_are_opened(tmp_path: Path) -> None:
    (tmp_path / "tapes").mkdir()
    (tmp_path / "tapes" / "hour.jsonl.gz").write_bytes(gzip.compress(BOT_TOKEN.encode()))
    with closing(sqlite3.connect(tmp_path / "state.sqlite")) as store:
        store.execute("CREATE TABLE cache (packed BLOB)")
        store.execute("INSERT INTO cache VALUES (?)", (zlib.compress(CHAT.encode()),))
        store.commit()
    assert leaks(files(tmp_path)) == ["state.sqlite: cache: chat", "tapes/hour.jsonl.gz: bot token"]


def test_signatures_are_taken_from_what_was_sent() -> None:
    sent = "symbol=ETHUSDT&timestamp=1&signature=c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
    assert leaks({"an error": f"refused: {sent[-40:]}"}, signatures([sent])) == ["an error: a signature"]
