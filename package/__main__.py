"""Run the command line: ``python -m resolvent VERB [KEY=VALUE ...]``."""

import sys

from resolvent.workflows.cli import main

sys.exit(main())
