"""Write the numbers of each epoch: ``log.jsonl`` and ``metrics.csv``."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from resolvent.data.format.atomic_files import storage_errors, write_atomically


class RunLog:
    """Append one row for each epoch; at the start it rewrites the files with exactly the rows of the checkpoint.

    So an epoch does not appear twice after a run was killed between its log and its checkpoint.

    Parameters
    ----------
    folder : Path
    rows : sequence of mappings
        The epochs already done, from the checkpoint.
    columns : sequence of str
        Keys of the rows, in order; rows of earlier versions may lack some.
    """

    def __init__(self, folder: Path, rows: Sequence[Mapping[str, float]], columns: Sequence[str]) -> None:
        self.folder, self.columns = folder, tuple(columns)
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically("".join(map(_json_line, rows)).encode(), folder / "log.jsonl")
            write_atomically(
                (",".join(self.columns) + "\n" + "".join(map(self._csv_line, rows))).encode(), folder / "metrics.csv"
            )

    def add(self, row: Mapping[str, float]) -> None:
        """Append a row to both files."""
        for name, line in (("log.jsonl", _json_line(row)), ("metrics.csv", self._csv_line(row))):
            path = self.folder / name
            with storage_errors(path), path.open("a", encoding="utf-8", newline="") as file:
                file.write(line)

    def _csv_line(self, row: Mapping[str, float]) -> str:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow([row.get(column, "") for column in self.columns])
        return text.getvalue()


def _json_line(row: Mapping[str, float]) -> str:
    return json.dumps(dict(row)) + "\n"
