"""`docc`, `kubectl docc` and `python -m docc`."""

from __future__ import annotations

import sys


def run() -> None:
    from docc.cli.main import main

    sys.exit(main(sys.argv))


if __name__ == "__main__":
    run()
