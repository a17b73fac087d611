"""The compiled kernels. Every `.pyx` below src/ is one; all are optional: where one cannot be compiled, the
plain Python code that gives the same values is used."""

from __future__ import annotations

import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

SOURCES = Path("src")


def extension(source: Path) -> Extension:
    """The module's name is its path; C++ where the file says so (`# distutils: language = c++`)."""
    name = ".".join(source.relative_to(SOURCES).with_suffix("").parts)
    cpp = "language = c++" in source.read_text(encoding="utf-8").partition("\n")[0]
    flags = [] if sys.platform == "win32" else ["-O3", *(["-std=c++17"] if cpp else [])]
    return Extension(name, [source.as_posix()], extra_compile_args=flags, optional=True)


kernels = cythonize(
    [extension(source) for source in sorted(SOURCES.rglob("*.pyx"))],
    build_dir="build/cython",
    language_level=3,
)
for kernel in kernels:
    kernel.optional = True  # cythonize makes new extensions and drops this
setup(ext_modules=kernels)
