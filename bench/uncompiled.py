"""Mainstem as it is where there was no compiler when it was installed: uncompiled.py ARGUMENT…"""

from __future__ import annotations

import sys

KERNELS = (
    "mainstem.hashing._kernel.hashes",
    "mainstem.source._kernel.mysqlrows",
    "mainstem.source._kernel.pgcopy",
)
for name in KERNELS:
    sys.modules[name] = None  # type: ignore[assignment]  # importing it is an ImportError

from mainstem.__main__ import main  # noqa: E402

main()
