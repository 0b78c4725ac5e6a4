"""Places: where an account's store is, in the words of the settings, and another place that an operator names."""

from __future__ import annotations

from pathlib import Path

from runtime.config import Settings
from runtime.errors import BadInput


def target_of(settings: Settings, to: str) -> Settings:
    """The settings of the store that `to` names: `firestore`, or `sqlite:FOLDER` with the data folder."""
    kind, _, folder = to.partition(":")
    if kind == "sqlite" and folder:
        return settings.model_copy(update={"store": "sqlite", "data_dir": folder})
    if to != "firestore":
        raise BadInput("to", to, "must be firestore, or sqlite:FOLDER with the folder that ENGINE_DATA_DIR will name")
    if not settings.google_project:
        raise BadInput("to", to, "needs GOOGLE_CLOUD_PROJECT: name the project that holds Firestore")
    return settings.model_copy(update={"store": "firestore"})


def place_of(settings: Settings) -> str:
    """A store as its settings name it."""
    if settings.store == "sqlite":
        return f"ENGINE_STORE=sqlite ENGINE_DATA_DIR={Path(settings.data_dir).resolve()}"
    document = f"ENGINE_STATE_COLLECTION={settings.state_collection} ENGINE_STATE_DOCUMENT={settings.state_document}"
    database = f"ENGINE_FIRESTORE_DATABASE={settings.firestore_database}"
    return f"ENGINE_STORE=firestore GOOGLE_CLOUD_PROJECT={settings.google_project} {database} {document}"
