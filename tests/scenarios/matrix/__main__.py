"""`python -m tests.scenarios.matrix`: the long run, see `soak`."""

from __future__ import annotations

import sys

from tests.scenarios.matrix.soak import main

if __name__ == "__main__":
    sys.exit(main())
