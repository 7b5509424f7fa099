"""Run the command line: ``python -m resolvent VERB [KEY=VALUE ...]``."""

import sys

from resolvent.workflows.cli import main

if __name__ == "__main__":
    sys.exit(main())
