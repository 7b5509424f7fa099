"""Map the top-level folders onto the ``resolvent.*`` packages; everything else is in pyproject.toml."""

from setuptools import find_packages, setup

FOLDERS = ("solvers", "operators", "data", "conf", "workflows")

setup(
    packages=[f"resolvent.{n}" for top in FOLDERS for n in (top, *(f"{top}.{s}" for s in find_packages(top)))],
    package_dir={f"resolvent.{top}": top for top in FOLDERS},
    package_data={
        "resolvent.conf": ["**/*.yaml"],
        "resolvent.data.format": ["FORMAT.md"],
        "": ["py.typed", "*.pyi", "*.cu"],
    },
)
