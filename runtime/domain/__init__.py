"""Nouns and the pure rules on them: no clock, no I/O, no environment; standard library and pydantic only."""
