"""`python -m textedit_lite`: the same as the command `textedit-lite`."""

import sys

from textedit_lite.cli import main

if __name__ == "__main__":
    sys.exit(main())
