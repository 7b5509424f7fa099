"""Run ``resolvent verify``: recompute every checksum and every certificate of a dataset."""

from __future__ import annotations

from collections.abc import Sequence

from resolvent.data import verify
from resolvent.solvers import InputError

from ..compose import compose_verb
from ..console import ProgressLine, say
from ..run_folder import RunFolder

SHOWN = 20  # failures printed; all are in result.json


def run(overrides: Sequence[str]) -> int:
    """Verify the dataset that the overrides name; return 0 if all is right, else raise `InputError`."""
    config = compose_verb("verify", overrides)
    if config.data is None:
        raise InputError("nothing to verify: give data=FOLDER")
    folder = RunFolder("verify", config)
    with ProgressLine("verify") as progress:
        report = verify(str(config.data), progress=progress)
    failures = [str(f) for f in report.failures]
    for failure in failures[:SHOWN]:
        say(f"FAILED {failure}")
    if len(failures) > SHOWN:
        say(f"... and {len(failures) - SHOWN} more, in {folder.path / 'result.json'}")
    folder.finish(**report.to_dict())
    for note in report.notes:
        say(note)
    if not report.ok:
        raise InputError(
            f"{config.data}: {len(failures)} checksum(s) or certificate(s) fail; run the 'resolvent generate'"
            " command that made it again with the same out=, which recomputes the damaged shards"
        )
    say(report.summary())
    say(f"content {report.content_digest}")
    return 0
