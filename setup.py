"""Map the top-level folders onto the ``resolvent`` package and build its kernels; the rest is in pyproject.toml."""

import os
import sys
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py
from setuptools.dist import Distribution

ROOT = Path(__file__).resolve().parent
FOLDERS = ("solvers", "operators", "data", "conf", "workflows")

sys.path.insert(0, str(ROOT / "solvers" / "kernels" / "building"))
import compiling  # noqa: E402


class BuildWithKernels(build_py):
    """Copy the Python files, then compile the kernels: into the wheel, or in place for an editable install."""

    def run(self) -> None:
        super().run()
        try:
            if self.editable_mode:
                compiling.build_in_place(ROOT)
            else:
                target = Path(self.build_lib, "resolvent", compiling.LIBRARIES)
                objects = os.environ.get("RESOLVENT_OBJECTS") or self.get_finalized_command("build").build_temp
                compiling.build(ROOT, target, Path(objects))
        except compiling.BuildError as error:
            sys.exit(str(error))


class WheelOfPlatform(bdist_wheel):
    """Name the wheel for every Python 3 of this platform: the libraries do not call Python."""

    def get_tag(self) -> tuple[str, str, str]:
        return "py3", "none", super().get_tag()[2]


class WithLibraries(Distribution):
    """Tell setuptools that the wheel belongs to a platform."""

    def has_ext_modules(self) -> bool:
        return True


setup(
    packages=["resolvent", *(f"resolvent.{n}" for f in FOLDERS for n in (f, *(f"{f}.{s}" for s in find_packages(f))))],
    package_dir={"resolvent": "package", **{f"resolvent.{folder}": folder for folder in FOLDERS}},
    package_data={
        "resolvent.conf": ["**/*.yaml"],
        "resolvent.data.format": ["FORMAT.md"],
        "": ["py.typed", "*.pyi", "*.cu", "*.cpp", "*.hpp"],
    },
    cmdclass={"build_py": BuildWithKernels, "bdist_wheel": WheelOfPlatform},
    distclass=WithLibraries,
)
