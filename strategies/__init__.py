"""Strategies: pure rules over a snapshot."""
