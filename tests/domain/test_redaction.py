"""Redaction: known secrets in any spelling, unknown ones by their look, and words that stay as they are."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.redaction import GONE, KNOWN_MIN, OPAQUE_MIN, redact

TOKEN = "8123456789:AAHf-planted_Tok3n"
CHAT = "-1009876543210"


@pytest.mark.parametrize(
    "spelt",
    [
        TOKEN,
        quote(TOKEN, safe=""),
        quote(quote(TOKEN, safe=""), safe=""),
        TOKEN.replace(":", "&#58;").replace("-", "&#x2D;"),
        html.escape(TOKEN),
        json.dumps(TOKEN).strip('"'),
        TOKEN.replace(":", "\\u003A"),
    ],
)
def test_a_known_secret_goes_in_every_spelling(spelt: str) -> None:
    assert redact(f"GET /bot{spelt}/getMe refused", [TOKEN]) == f"GET /bot{GONE}/getMe refused"


def test_a_secret_inside_another_leaves_no_rest() -> None:
    assert redact(f"{TOKEN}{CHAT} {CHAT}", [CHAT, TOKEN, TOKEN + CHAT]) == f"{GONE} {GONE}"


def test_what_is_too_short_to_be_a_secret_blots_out_no_word() -> None:
    assert redact("the key is refused", ["key", "", "x" * (KNOWN_MIN - 1)]) == "the key is refused"


@given(st.binary(min_size=30, max_size=300))
def test_base64_hex_and_web_tokens_go_without_being_known(secret: bytes) -> None:
    for run in (base64.urlsafe_b64encode(secret).decode(), secret.hex()):
        if any(c.isdigit() for c in run) and any(c.isalpha() for c in run) and len(run) >= OPAQUE_MIN:
            assert redact(f"sent {run}.{run}, refused") == f"sent {GONE}.{GONE}, refused"


@pytest.mark.parametrize(
    "text",
    [
        "/api/v3/account?timestamp=1&signature=9f3a",
        '"signature":"9f3a"',
        "Signature: 9f3a",
        "signature%3D9f3a",
    ],
)
def test_a_signature_goes_by_its_name_even_where_it_was_cut_off(text: str) -> None:
    assert "9f3a" not in redact(text)


def test_private_keys_and_bot_tokens_go_by_their_look() -> None:
    pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQ/BwIDAQAB+\nabc/def=\n-----END PRIVATE KEY-----"
    assert redact(f"read {pem} and stopped") == f"read {GONE} and stopped"
    assert redact(pem[:50]) == GONE, "one that was cut off has no end"
    assert redact("POST /bot123456:AAE-abcdefghijklmnopqrst/getMe") == f"POST /bot{GONE}/getMe"


@pytest.mark.parametrize(
    "text",
    [
        "Filter failure: LOT_SIZE",
        "Timestamp for this request was 1000ms ahead of the server's time.",
        "legal range is '^[a-zA-Z0-9-_]{1,36}$'.",
        "No document to update: projects/engine-1/databases/(default)/documents/strategy/MULTI_ASSET_STATE_second",
        "order bp-20261121T09-trend-ETHUSDT-buy-0001 of 0.00012345678901234567890123456789012345678901",
        "=" * 80,
        "a" * 80,
        "2026-11-21T09Z",
    ],
)
def test_what_helps_an_operator_stays(text: str) -> None:
    assert redact(text, [TOKEN, CHAT]) == text


@pytest.mark.parametrize("text", ["1" * 500_000, "a1" * 250_000, "signature=" * 50_000, "-----BEGIN " * 50_000])
def test_a_page_as_long_as_a_book_takes_no_time_to_speak_of(text: str) -> None:
    """Each pattern reads a text once; one that tried again from every place would not come back within the hour."""
    assert len(redact(text, [TOKEN, CHAT])) <= len(text)
