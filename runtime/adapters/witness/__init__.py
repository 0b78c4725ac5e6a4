"""Witness: a world that writes down what it answers, and one that answers from what was written.

    writing.py   wraps the ports of a real or simulated world; what they answer goes on the hour's tape
    telling.py   the ports of an hour that is replayed: every answer comes from the tape, nothing else is asked
    words.py     calls and answers as JSON values, and back

So a replay runs the whole hour again, byte for byte: not only what was decided, but what was asked of the world, in
which order it was answered, what was sent and what was booked.
"""

from runtime.adapters.witness.telling import Teller as Teller
from runtime.adapters.witness.writing import Witness as Witness
