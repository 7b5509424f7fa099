"""Map the top-level folders onto the ``resolvent`` package and its parts; everything else is in pyproject.toml."""

from setuptools import find_packages, setup

FOLDERS = ("solvers", "operators", "data", "conf", "workflows")

setup(
    packages=["resolvent", *(f"resolvent.{n}" for f in FOLDERS for n in (f, *(f"{f}.{s}" for s in find_packages(f))))],
    package_dir={"resolvent": "package", **{f"resolvent.{folder}": folder for folder in FOLDERS}},
    package_data={
        "resolvent.conf": ["**/*.yaml"],
        "resolvent.data.format": ["FORMAT.md"],
        "": ["py.typed", "*.pyi", "*.cu"],
    },
)
