"""Answers that repeat what was asked: error pages, gateways and bodies that hand the request back, secrets and all."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote

from tests.support.http_stub import Answer, Fate, Reply, Seen

CUT_AT = 200
"""Where the adapters cut a quotation; some answers put a secret across it."""


def heard(seen: Seen) -> str:
    """All that reached the other side, on one line."""
    query, body = seen.raw
    return f"{seen.endpoint}?{query} {body} {json.dumps(dict(seen.headers))}"


def signature(seen: Seen) -> str:
    """The request's own."""
    return seen.params.get("signature", "")


def key(seen: Seen) -> str:
    """The API key it carries."""
    return seen.headers.get("x-mbx-apikey", "")


def _page(status: int, text: str) -> Reply:
    return Reply(status, f"<html><body><pre>{text}</pre></body></html>", {"Content-Type": "text/html"})


def _across_the_cut(seen: Seen) -> Reply:
    lead = "blocked: " + "." * (CUT_AT - 60)
    return _page(403, f"{lead}{key(seen)} {key(seen)}{signature(seen)}")


def _signature_across_the_cut(seen: Seen) -> Reply:
    return Reply(400, {"code": -1022, "msg": "." * (CUT_AT - 20) + signature(seen)})


def _with_odd_headers(seen: Seen) -> Reply:
    """What follows a line that is no header is lost, the body's length too: the connection's end says it."""
    return Reply(200, {"x": 1}, {"Connection": "close", f"odd {heard(seen)}\r\nX-Odd": "1"})


ECHOES: dict[str, Callable[[Seen], Answer]] = {
    "401": lambda seen: Reply(401, {"code": -2015, "msg": f"Invalid API-key {key(seen)}: {heard(seen)}"}),
    "403 page": lambda seen: _page(403, heard(seen)),
    "403 escaped for HTML": lambda seen: _page(403, html.escape(heard(seen)).replace("=", "&#x3D;")),
    "403 escaped for a URL": lambda seen: _page(403, quote(heard(seen), safe="")),
    "403 in base64": lambda seen: _page(403, base64.b64encode(heard(seen).encode()).decode()),
    "403 key across the cut": _across_the_cut,
    "400 signature across the cut": _signature_across_the_cut,
    "400 signature alone": lambda seen: Reply(
        400, {"code": -1022, "msg": f"{signature(seen)} {signature(seen)[::-1]}"}
    ),
    "429": lambda seen: Reply(429, {"code": -1003, "msg": heard(seen)}, {"Retry-After": "1"}),
    "418": lambda seen: Reply(418, {"code": -1003, "msg": heard(seen)}, {"Retry-After": "1"}),
    "451": lambda seen: Reply(451, {"code": 0, "msg": heard(seen)}),
    "500": lambda seen: Reply(500, {"code": -1000, "msg": heard(seen)}),
    "502 page": lambda seen: _page(502, heard(seen)),
    "302": lambda seen: Reply(302, heard(seen), {"Location": f"/elsewhere?{seen.raw[0]}&{seen.raw[1]}"}),
    "200 text": lambda seen: Reply(200, heard(seen)),
    "200 object": lambda seen: Reply(200, {"key": key(seen), "request": heard(seen)}),
    "200 list": lambda seen: Reply(200, [key(seen), heard(seen)]),
    "200 signature": lambda seen: Reply(200, {"serverTime": signature(seen), "balances": signature(seen)}),
    "200 with odd headers": _with_odd_headers,
    "200 wrongly packed": lambda seen: Reply(200, heard(seen), {"Content-Encoding": "gzip"}),
    "reset": lambda _: Fate.CUT,
    "half": lambda _: Fate.HALF,
}
"""By what they are; each is made of the request it answers."""


def _refused(status: int, describe: Callable[[Seen], str]) -> Callable[[Seen], Reply]:
    """An answer in the Bot API's own shape."""
    parameters = {"retry_after": 1} if status == 429 else {}
    return lambda seen: Reply(
        status, {"ok": False, "error_code": status, "description": describe(seen), "parameters": parameters}
    )


def _token_across_the_cut(seen: Seen) -> str:
    token = seen.endpoint.partition("/bot")[2].partition("/")[0]
    return f"{'.' * (CUT_AT - 20)}{token}"


TELEGRAMS: dict[str, Callable[[Seen], Answer]] = {
    **{f"{status} of the Bot API": _refused(status, heard) for status in (400, 401, 403, 404, 409, 429, 500)},
    "400 of the Bot API, escaped": _refused(400, lambda seen: quote(heard(seen), safe="")),
    "400 of the Bot API, token across the cut": _refused(400, _token_across_the_cut),
}
"""The same from the Bot API itself."""
