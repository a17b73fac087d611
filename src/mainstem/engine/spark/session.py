"""The one Spark session of a process: started when first asked for, with words where something is missing."""

from __future__ import annotations

import atexit
import importlib.util
import logging
import os
import re
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mainstem.engine.spark import settings
from mainstem.errors import EngineFailed, LakeUnavailable

_lock = threading.Lock()
_session: Any = None


def require() -> None:
    """EngineFailed, with what to install, if Spark cannot run here."""
    if importlib.util.find_spec("pyspark") is None:
        raise EngineFailed("Spark is not installed", hint="pip install 'mainstem[spark]'")
    home = os.environ.get("JAVA_HOME")
    if shutil.which("java") is None and not (home and (Path(home) / "bin" / "java").exists()):
        raise EngineFailed(
            "Spark needs a Java runtime, and there is none",
            hint="install Java 17 (Debian: openjdk-17-jre-headless), or set JAVA_HOME",
        )
    settings.jars()


def spark_session(master: str = "local[*]", memory: str = "") -> Any:
    """The process's session; `master` and `memory` count for the first call alone."""
    global _session
    require()
    with _lock:
        if _session is None:
            _session = _start(master, memory)
            atexit.register(stop)
        return _session


def stop() -> None:
    """End the session, if one was started."""
    global _session
    with _lock:
        if _session is not None:
            _session.stop()
            _session = None


def _start(master: str, memory: str) -> Any:
    from pyspark.sql import SparkSession

    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    os.environ["PYSPARK_PYTHON"] = sys.executable  # the first python3 of the PATH need not know Mainstem
    logging.getLogger("py4j").setLevel(logging.ERROR)
    builder = SparkSession.builder.master(master).appName("mainstem")
    options = {**settings.LOCAL, **settings.MEANING, "spark.jars": ",".join(settings.jars())}
    if memory:
        options["spark.driver.memory"] = memory
    for name, value in options.items():
        builder = builder.config(name, value)
    try:
        session = builder.getOrCreate()
    except (RuntimeError, OSError) as error:
        raise EngineFailed(f"Spark did not start: {str(error).splitlines()[0]}") from error
    session.sparkContext.setLogLevel("OFF")
    return session


@contextmanager
def mapped() -> Iterator[None]:
    """Spark's errors as ours, without the values of rows."""
    from py4j.protocol import Py4JError
    from pyspark.errors import AnalysisException, PySparkException

    try:
        yield
    except (PySparkException, Py4JError) as error:
        raise failure(str(error), rows=not isinstance(error, AnalysisException)) from None


def failure(text: str, *, rows: bool) -> EngineFailed | LakeUnavailable:
    """Spark's message by its class; with its words, constants masked, if it came before any row was read
    (`rows`): later ones quote values."""
    if "FileNotFoundException" in text or "NotFoundException" in text or "java.io.IOException" in text:
        return LakeUnavailable("a file of the lake cannot be read or written by Spark")
    classes = re.findall(r"(?:^|Exception: |Error: )\[([A-Z][A-Z0-9_.]+)\]\s*([^\n]*)", text)
    if rows:
        java = re.search(r"^(?:: )?((?:[a-z]\w*\.)+[A-Z]\w*)(?::|$)", text, re.MULTILINE)
        name = classes[0][0] if classes else java[1] if java else "no reason given"
        return EngineFailed(f"Spark failed: {name}")
    if not classes:
        first = re.sub(r"^An error occurred while calling \S+\s*:?\s*", "", text).strip().partition("\n")[0]
        return EngineFailed(f"Spark failed: {_masked(first or 'no reason given')}")
    name, said = classes[-1]
    parts = said.split(" SQLSTATE:")[0].split(" If necessary")[0]
    return EngineFailed(f"Spark: {name.lower().replace('_', ' ')}: {_masked(parts)}")


def _masked(text: str) -> str:
    return re.sub(r"'[^']*'", "'…'", re.sub(r'"[^"]*"', '"…"', text))[:300]
