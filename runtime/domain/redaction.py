"""Redaction: secrets out of a text that somebody else wrote, before it becomes an error, an alert, a line of a log.

The worked problem: a proxy, a firewall or a gateway answers an error page that repeats the request, and with it the key
in a header, the signature in the URL, the bot's token in the path. The adapters quote such answers, because their words
help; so every quotation passes here first, whole. Cutting it short comes afterwards: half a secret is no longer found.

Two nets. What the caller knows to be secret is taken out in every spelling of its punctuation (`:` may come back as
`%3A` or `&#58;`). What nobody told us of is taken out by its look: a private key, a bot's token, a signature, and any
unbroken run of `OPAQUE_MIN` letters and digits, which no word, asset, client order id (36) or path part is. Base64, hex
and web tokens are such runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

GONE = "***"
OPAQUE_MIN = 40
KNOWN_MIN = 8
"""A shorter secret is a test's, and would blot out words."""

_PRIVATE_KEY = re.compile(r"-----BEGIN[A-Z ]*PRIVATE KEY-----.*?(-----END[A-Z ]*PRIVATE KEY-----|$)", re.DOTALL)
_BOT_TOKEN = re.compile(r"(?<!\d)\d{5,20}(?::|%3[Aa]|&#58;)[\w-]{20,}")
_SIGNATURE = re.compile(r"(?i)(signature\W{1,3})[\w%+/=-]+")
_OPAQUE = re.compile(rf"[A-Za-z0-9+_=%~-]{{{OPAQUE_MIN},}}")


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` with `***` for each of `secrets` and for all that looks like one."""
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= KNOWN_MIN:
            text = _spellings(secret).sub(GONE, text)
    text = _PRIVATE_KEY.sub(GONE, text)
    text = _BOT_TOKEN.sub(GONE, text)
    return _OPAQUE.sub(_unless_a_word, _SIGNATURE.sub(rf"\1{GONE}", text))


def _unless_a_word(run: re.Match[str]) -> str:
    """A run without a digit or without a letter is a ruler or a long word, not a token."""
    found = run[0]
    return GONE if re.search(r"\d", found) and re.search(r"[A-Za-z]", found) else found


@lru_cache(maxsize=64)
def _spellings(secret: str) -> re.Pattern[str]:
    return re.compile("".join(map(_spelling, secret)))


def _spelling(character: str) -> str:
    """A character as it is, or escaped as in a URL (once or twice), in HTML, in JSON."""
    plain, code = re.escape(character), ord(character)
    if character.isalnum():
        return plain
    return rf"(?:{plain}|(?i:%(?:25)?{code:02x}|&#{code};|&#x{code:x};|\\u{code:04x}))"
