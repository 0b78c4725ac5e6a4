"""SQLite: the state store in one local file.

store        the Store port, and what a backup needs of it
database     the file: opened, laid out, and its faults in our words
"""

from runtime.adapters.sqlite.database import BUSY_SECONDS, LAYOUT
from runtime.adapters.sqlite.store import SqliteStore

__all__ = ["BUSY_SECONDS", "LAYOUT", "SqliteStore"]
