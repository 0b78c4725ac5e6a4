"""The tests. `make test` runs them all with pytest; `python3 -m unittest` reaches the same run through `load_tests`."""

from tests._unittest import load_tests

__all__ = ["load_tests"]
