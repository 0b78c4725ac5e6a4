"""Who signs in: the kind of Google's credentials, the account they stand for, and their own project.

Google's client takes whatever credentials it finds, and a run that signs in as the wrong one fails late and oddly. The
kind is told by the module that the credentials' class comes from, because importing every kind that there is costs more
than signing in. Keys, tokens and secrets are not looked at.
"""

from __future__ import annotations

from google.auth.credentials import AnonymousCredentials, Credentials

from runtime.ports import Identity

_KINDS = {
    "google.oauth2.service_account": "service account, key file",
    "google.oauth2.credentials": "a person, by gcloud",
    "google.auth.compute_engine.credentials": "metadata server of this machine",
    "google.auth.external_account": "workload identity federation",
    "google.auth.external_account_authorized_user": "a person, by workforce identity",
    "google.auth.impersonated_credentials": "impersonated service account",
}
_ACCOUNTS = ("service_account_email", "account", "_audience")


def identity_of(credentials: Credentials, project: str) -> Identity:
    """What may be said of `credentials`, whose own project is `project` (empty = they name none)."""
    if isinstance(credentials, AnonymousCredentials):
        return Identity("none: an emulator is asked", "", project)
    modules = (kind.__module__ for kind in type(credentials).__mro__)
    kind = next((_KINDS[module] for module in modules if module in _KINDS), type(credentials).__name__)
    named = (getattr(credentials, name, None) for name in _ACCOUNTS)
    account = next((name for name in named if isinstance(name, str) and name), "")
    return Identity(kind, account, project)
