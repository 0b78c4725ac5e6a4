"""Google's errors in our words: which one a human must mend, which one passes, which one says no.

    what Google raises                                   ours
    no credentials, credentials refused, 401             StoreMisconfigured: credentials
    a stumble over a credential file or a token          StoreMisconfigured: credentials
    403 with a disabled API                              StoreMisconfigured: enable the API
    403                                                  StoreMisconfigured: grant the role
    404 on a read                                        StoreMisconfigured: no such database
    400 failed precondition on a read                    StoreMisconfigured: Datastore mode, a missing index
    400 invalid argument, 400 out of range               StoreError: this document cannot be stored
    deadline, unavailable, aborted, quota, anything else StoreUnavailable

A write's precondition (409, 400, 404) is not in this table: what it means is decided by looking (`store`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from google.api_core import exceptions as api
from google.auth import exceptions as auth

from runtime.domain.redaction import redact
from runtime.errors import EngineError, StoreError, StoreMisconfigured, StoreUnavailable

PRECONDITION = (api.FailedPrecondition, api.Conflict, api.NotFound)
"""The document was not what the write expected (`Conflict` holds AlreadyExists and Aborted)."""

TRANSIENT = (
    api.DeadlineExceeded,
    api.InternalServerError,
    api.ServiceUnavailable,
    api.ResourceExhausted,
    api.Aborted,
    api.Cancelled,
    api.Unknown,
    api.RetryError,
)
"""Nobody knows what became of the call, or it may be made again."""

_ROLE = "grant roles/datastore.user on the project to the identity that runs this (changes take some minutes)"
_API = "enable the Cloud Firestore API (firestore.googleapis.com) in the project, then wait some minutes"
_DATABASE = "create the database in Native mode, or correct the project and database settings"
_CREDENTIALS = "sign in again: on GitHub check the auth step and the identity pool, on a server the key or the account"
_NO_CREDENTIALS = (
    "provide application default credentials: google-github-actions/auth, or gcloud auth application-default login"
)
_LEAK = "unset FIRESTORE_EMULATOR_HOST: with it, every write would go to an emulator and be lost"

_FIXES = ((api.Unauthenticated, _CREDENTIALS), ((api.NotFound, api.FailedPrecondition), _DATABASE))


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Google's errors inside the block as ours; `what` names the call."""
    try:
        yield
    except (api.GoogleAPIError, auth.GoogleAuthError) as error:
        raise _ours(f"Firestore {what}", error) from None  # no traceback of ours quotes Google's text


@contextmanager
def sensible_credentials() -> Iterator[None]:
    """What Google's library stumbles over inside the block, in a file or an answer that is none, as ours."""
    try:
        yield
    except auth.GoogleAuthError:
        raise
    except (AttributeError, LookupError, OSError, TypeError, ValueError) as error:
        why = f"the credentials, or what their token's endpoint answers, cannot be read ({type(error).__name__})"
        raise StoreMisconfigured("Firestore sign-in", why, _CREDENTIALS) from None


def leaked() -> StoreMisconfigured:
    """The environment would send a live run to an emulator."""
    return StoreMisconfigured("Firestore", "FIRESTORE_EMULATOR_HOST is set", _LEAK)


def _ours(what: str, error: Exception) -> EngineError:
    if isinstance(error, api.RetryError) and error.cause is not None:
        return _ours(what, error.cause)
    why, fix = in_words(error), _fix(error)
    if fix is not None:
        return StoreMisconfigured(what, why, fix)
    if isinstance(error, api.InvalidArgument | api.OutOfRange):
        return StoreError(f"{what}: {why}; nothing was written")
    return StoreUnavailable(f"{what}: {why}")


def _fix(error: Exception) -> str | None:
    """What a human must do about it; None if it may pass by itself."""
    if isinstance(error, auth.DefaultCredentialsError):
        return _NO_CREDENTIALS
    if isinstance(error, auth.GoogleAuthError):
        return None if isinstance(error, auth.TransportError) or error.retryable else _CREDENTIALS
    if isinstance(error, api.PermissionDenied):
        disabled = error.reason == "SERVICE_DISABLED" or "it is disabled" in str(error)
        return _API if disabled else _ROLE
    return next((fix for kinds, fix in _FIXES if isinstance(error, kinds)), None)


def in_words(error: Exception) -> str:
    """The kind of the error and its first line, cut and without secrets: in some, Google repeats whole answers."""
    text = str(error.args[0] if isinstance(error, auth.GoogleAuthError) and error.args else error)
    return f"{type(error).__name__}: {redact(text.splitlines()[0])[:300] if text else 'no message'}"
