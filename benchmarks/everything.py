"""All benchmarks in one table: what was measured here, and what is asked for.

Each script alone shows more, and takes options. The machine is shared: a figure that matters stands beside a yardstick
of the same call, or is processor time.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import bench_history, bench_hour, bench_install, bench_sweep
from benchmarks.figures import Figure, table

PARTS = {
    "hour": bench_hour.figures,
    "install": bench_install.figures,
    "history": bench_history.figures,
    "sweep": bench_sweep.figures,
}


def main() -> None:
    """Print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS, action="append", help="one of them; may be given more than once")
    found: list[Figure] = []
    for name in parser.parse_args().only or PARTS:
        sys.stderr.write(f"{name} ...\n")
        found += PARTS[name]()
    print(table(found))


if __name__ == "__main__":
    main()
