"""Remembering: what follows from the very same objects need not be worked out again.

Values here are frozen, so a function of values that is asked with the same *objects* must give the same answer. Most of
what an hour looks at was there an hour before: the day's candles and what follows from them, the ledger and the account
of a quiet hour, the settings. One process runs one live hour and gains little; a history run has thousands.

Compared by identity, never by value: that costs nanoseconds, and it cannot be wrong. Only the last call is kept, so a
caller that takes turns between two sets of arguments should not be remembered, and nothing piles up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from operator import is_
from typing import Any, ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")
_NOBODY = object()


def remembered(function: Callable[P, R]) -> Callable[P, R]:
    """`function`, a pure one of at most five frozen values given by position, with its last answer for the same objects
    kept.
    """
    plainly = cast("Any", function)
    return cast("Callable[P, R]", wraps(function)(_KEEPERS[plainly.__code__.co_argcount](plainly)))


# One function for each usual number of arguments: to compare them one by one takes a third of the time that tuples
# take, and an hour asks some forty times. What is kept is replaced in one assignment: a thread sees the old answer with
# the old arguments, or the new ones.


def _keep_one(function: Callable[..., Any]) -> Callable[..., Any]:
    kept: tuple[Any, Any] = (_NOBODY, None)

    def asked(a: object) -> Any:  # noqa: ANN401 - what `function` gives
        nonlocal kept
        known, answer = kept
        if a is known:
            return answer
        answer = function(a)
        kept = a, answer
        return answer

    return asked


def _keep_two(function: Callable[..., Any]) -> Callable[..., Any]:
    kept: tuple[Any, ...] = (_NOBODY, None, None)

    def asked(a: object, b: object) -> Any:  # noqa: ANN401 - what `function` gives
        nonlocal kept
        known_a, known_b, answer = kept
        if a is known_a and b is known_b:
            return answer
        answer = function(a, b)
        kept = a, b, answer
        return answer

    return asked


def _keep_three(function: Callable[..., Any]) -> Callable[..., Any]:
    kept: tuple[Any, ...] = (_NOBODY, None, None, None)

    def asked(a: object, b: object, c: object) -> Any:  # noqa: ANN401 - what `function` gives
        nonlocal kept
        known_a, known_b, known_c, answer = kept
        if a is known_a and b is known_b and c is known_c:
            return answer
        answer = function(a, b, c)
        kept = a, b, c, answer
        return answer

    return asked


def _keep_four(function: Callable[..., Any]) -> Callable[..., Any]:
    kept: tuple[Any, ...] = (_NOBODY, None, None, None, None)

    def asked(a: object, b: object, c: object, d: object) -> Any:  # noqa: ANN401 - what `function` gives
        nonlocal kept
        known_a, known_b, known_c, known_d, answer = kept
        if a is known_a and b is known_b and c is known_c and d is known_d:
            return answer
        answer = function(a, b, c, d)
        kept = a, b, c, d, answer
        return answer

    return asked


def _keep_any(function: Callable[..., Any]) -> Callable[..., Any]:
    kept: tuple[tuple[object, ...], Any] = ((_NOBODY,), None)

    def asked(*given: object) -> Any:  # noqa: ANN401 - what `function` gives
        nonlocal kept
        known, answer = kept
        if len(given) == len(known) and all(map(is_, given, known)):
            return answer
        answer = function(*given)
        kept = given, answer
        return answer

    return asked


_KEEPERS = {1: _keep_one, 2: _keep_two, 3: _keep_three, 4: _keep_four, 5: _keep_any}


def continued(
    function: Callable[[Sequence[float], int, C | None], tuple[list[R], C]],
) -> Callable[[Sequence[float], int], list[R]]:
    """`function(values, days, None)` gives one result for each window of `days` values, by those values alone, and what
    it carries on from the last window. Where the windows but the newest were asked for before, it is given that, and
    only the newest window with the value before it: then it gives the newest result alone.
    """
    kept: tuple[Sequence[float], int, list[R], C | None] = ((), 0, [], None)

    @wraps(function)
    def asked(values: Sequence[float], days: int) -> list[R]:
        nonlocal kept
        before, of, known, carried = kept
        gone = len(before) - (len(values) - 1)  # how many of the oldest values have left since
        if len(values) < days:
            return []
        if of == days < len(values) and 0 <= gone < len(known) and before[gone:] == values[:-1]:
            newest, carried = function(values[-days - 1 :], days, carried)
            results = [*known[gone:], *newest]
        else:
            results, carried = function(values, days, None)
        kept = values, days, results, carried
        return [*results]

    return asked
