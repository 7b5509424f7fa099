"""Run ``resolvent inspect``: describe a dataset's layout, fields, shapes, units and provenance; draw samples."""

from __future__ import annotations

from collections.abc import Sequence

from resolvent.data import Dataset, describe, format_description
from resolvent.solvers import InputError

from ..compose import compose_verb
from ..console import say
from ..figures.fields import plot_fields
from ..run_folder import RunFolder


def run(overrides: Sequence[str]) -> int:
    """Describe the dataset that the overrides name; return 0."""
    config = compose_verb("inspect", overrides)
    if config.data is None:
        raise InputError("nothing to inspect: give data=FOLDER")
    dataset = Dataset(str(config.data))
    say(format_description(describe(str(config.data))))
    if not config.plot and config.out is None:
        return 0
    folder = RunFolder("inspect", config)
    if config.plot:
        if config.split not in dataset.splits:
            raise InputError(f"split={config.split} is unknown: the splits are {', '.join(dataset.splits)}")
        count = min(int(config.samples), dataset.splits[str(config.split)])
        if count < 1:
            raise InputError(f"samples={config.samples}: expected at least 1, from a split that holds some")
        names = [*dataset.input_fields, *dataset.output_fields]
        values = {name: dataset.read(str(config.split), name, 0, count) for name in names}
        if dataset.trajectories:  # the last step is drawn
            values.update({name: values[name][:, -1] for name in dataset.output_fields})
        samples = [{name: values[name][k] for name in names} for k in range(count)]
        mesh = None
        if "triangles" in dataset.fields:  # values at the nodes of a mesh
            mesh = [dataset.read(str(config.split), name, 0, count) for name in ("x", "y", "triangles")]
        title = f"{dataset.name}, {config.split}"
        if dataset.trajectories:
            title += f" (outputs at t = {dataset.times[-1]:.4g})"
        figure = plot_fields(samples, folder.file("fields.png"), title, mesh, dataset.axes)
        say(f"wrote {figure}")
    folder.finish(splits=dict(dataset.splits), resolution=list(dataset.resolution))
    return 0
