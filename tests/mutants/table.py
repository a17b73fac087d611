"""The planted bugs: where, what, and which tests must fail. One at a time, on a copy of the tree."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """`before` stands in `file` exactly once, and becomes `after`; `tests` are arguments of pytest."""

    plants: str
    file: str
    before: str
    after: str
    tests: str


def _m(plants: str, file: str, before: str, after: str, tests: str) -> Mutant:
    return Mutant(plants, f"src/mainstem/{file}", before, after, tests)


_COMMIT = "tests/lake/test_lake_commit.py"
_CLEAN = "tests/lake/test_lake_clean.py"
_CRASH = "tests/lake/test_lake_crash.py"
_CATALOG = "tests/catalog/test_catalog_local.py"
_VALUES = "tests/lake/test_lake_values.py"
_LOAD = "tests/ingest/test_load.py"
_MORE = "tests/ingest/test_incremental.py"
_LATE = "tests/ingest/test_late_commits.py"
_RUN = "tests/run/test_execute.py"
_RETRY = "tests/run/test_retries.py"
_CHECKS = "tests/contract/test_model_checks.py"
_SUMS = "tests/contract/test_reconcile.py tests/hashing"
_GUARD = "tests/serve/test_guard.py"
_SECRETS = "tests/project/test_secrets.py"
_DISK = "tests/faults/test_disk.py"
_WHOLE = "tests/lake/test_lake_whole.py"
_FILES = "tests/faults/test_lake.py"
_CLOUD = "tests/faults/test_cloud.py"
_NETWORK = "tests/faults/test_cloud_network.py"
_MOVED = "tests/lake/test_lake_relocate.py"

MUTANTS = (
    # Acknowledged before it is so, or not at all
    _m(
        "a swap that lost the race is taken for done",
        "lake/lake.py",
        "            storage.remove(prepared.files)\n            raise _overtaken(staged.name)\n",
        "            storage.remove(prepared.files)\n",
        _COMMIT,
    ),
    _m(
        "the files of a commit that has landed are deleted",
        "lake/lake.py",
        "            if self.catalog.location(staged.name) != new:\n",
        "            if True:\n",
        _COMMIT,
    ),
    _m(
        "a version that is gone is published",
        "lake/lake.py",
        "if not Path(version.metadata_location).is_file():",
        "if False:",
        _COMMIT,
    ),
    _m(
        "a file is not synchronised",
        "lake/storage.py",
        "        os.fsync(descriptor)\n    finally:\n        os.close(descriptor)\n\n\ndef sync",
        "        pass\n    finally:\n        os.close(descriptor)\n\n\ndef sync",
        _CRASH,
    ),
    _m(
        "folders and data files are not synchronised",
        "lake/storage.py",
        "        os.fsync(descriptor)\n    finally:\n        os.close(descriptor)\n\n\ndef remove",
        "        pass\n    finally:\n        os.close(descriptor)\n\n\ndef remove",
        _CRASH,
    ),
    _m(
        "a short write is taken for a whole one",
        "lake/storage.py",
        "        while view:\n            view = view[os.write(descriptor, view) :]",
        "        os.write(descriptor, view)",
        f"{_DISK} -k interrupted_and_short",
    ),
    _m(
        "ENOSPC is swallowed",
        "lake/storage.py",
        "    except OSError as error:\n        raise unavailable(error, name) from error",
        "    except OSError:\n        return",
        _CRASH,
    ),
    _m(
        "the catalog does not synchronise",
        "catalog/local.py",
        "PRAGMA synchronous = FULL",
        "PRAGMA synchronous = OFF",
        f"{_CRASH} -k pointer",
    ),
    _m(
        "the pointer moves whatever it was",
        "catalog/local.py",
        "            if _location(db, name) != expected:\n                return False\n",
        "",
        f"{_CATALOG} {_COMMIT}",
    ),
    _m(
        "a transaction is not committed",
        "catalog/local.py",
        'db.execute("COMMIT")',
        'db.execute("ROLLBACK")',
        _CATALOG,
    ),
    _m(
        "the current release is forgotten",
        "catalog/local.py",
        '                "DELETE FROM mainstem_releases WHERE number = ?"\n'
        '                " AND number NOT IN (SELECT release FROM mainstem_current)",\n',
        '                "DELETE FROM mainstem_releases WHERE number = ?",\n',
        f"{_CATALOG} {_CLEAN}",
    ),
    _m(
        "a catalog of a version to come is written to",
        "catalog/local.py",
        "if version > VERSION:",
        "if version > VERSION + 100:",
        f"{_CATALOG} {_DISK} -k 'version or newer or damaged'",
    ),
    _m(
        "two runs hold the lock",
        "lake/lock.py",
        "fcntl.LOCK_EX",
        "fcntl.LOCK_SH",
        "tests/lake/test_lake_lock.py",
    ),
    # What is written
    _m(
        "the last rows of a stream are not written",
        "lake/parquet.py",
        "    if any(batch.num_rows for batch in group):",
        "    if size >= GROUP_BYTES:",
        _COMMIT,
    ),
    _m(
        "NULL where none may be is let through",
        "lake/parquet.py",
        "if not column.nullable and values.null_count:",
        "if column.nullable and values.null_count < 0:",
        f"{_COMMIT} {_VALUES}",
    ),
    _m(
        "groups of a part are encoded in any order",
        "lake/parquet.py",
        "            before.result()",
        "            before.done()",
        _COMMIT,
    ),
    _m(
        "a part is told before its last group is encoded",
        "lake/parquet.py",
        "            last.result()",
        "            last.done()",
        _COMMIT,
    ),
    _m(
        "pages without checksums",
        "lake/parquet.py",
        '"write_page_checksum": True',
        '"write_page_checksum": False',
        f"{_DISK} -k pages_carry_checksums",
    ),
    _m(
        "a full disk is not told as one",
        "lake/storage.py",
        "    if code in (errno.ENOSPC, errno.EDQUOT):",
        "    if code in (errno.EDQUOT,):",
        _CRASH,
    ),
    _m(
        "NULLs are counted of the last row group alone",
        "lake/parquet.py",
        "self.nulls[field_id] += column.null_count",
        "self.nulls[field_id] = column.null_count",
        f"{_COMMIT} {_VALUES}",
    ),
    _m(
        "an upper bound is rounded down",
        "lake/bounds.py",
        "else _text_above(most[:BOUND])",
        "else most[:BOUND]",
        _VALUES,
    ),
    _m(
        "replaced files stay in the table",
        "lake/iceberg.py",
        "                    manifest.delete(entry)",
        "                    manifest.existing(entry)",
        f"{_COMMIT} {_MORE}",
    ),
    _m(
        "released snapshots leave the history",
        "lake/iceberg.py",
        "if s.snapshot_id not in keep]",
        "]",
        f"{_COMMIT} {_VALUES}",
    ),
    _m(
        "field ids are used twice",
        "lake/versions.py",
        "            last_id += 1\n",
        "",
        f"{_COMMIT} {_VALUES}",
    ),
    _m(
        "a column that had NULLs keeps its id when it may have none",
        "lake/versions.py",
        "    if old.nullable and not new.nullable:\n        return False\n",
        "",
        f"{_COMMIT} {_VALUES}",
    ),
    # What is deleted
    _m(
        "files of a run at work are deleted",
        "lake/cleaning.py",
        "        if path in reachable or status.st_mtime > before:",
        "        if path in reachable:",
        _CLEAN,
    ),
    _m(
        "the current release's files are deleted after a rollback",
        "lake/cleaning.py",
        "if number < keep or read or (current and release.id == current.id):",
        "if number < keep or read:",
        _CLEAN,
    ),
    _m(
        "the files of heads are deleted",
        "lake/cleaning.py",
        "    locations = set(catalog.tables().values()) | kept",
        "    locations = kept",
        _CLEAN,
    ),
    # Which rows are read
    _m(
        "> for >= at the cursor",
        "ingest/cursor.py",
        'f"{column} >= {mark.low}"',
        'f"{column} > {mark.low}"',
        f"{_MORE} {_LATE}",
    ),
    _m(
        "rows without a cursor are never read",
        "ingest/cursor.py",
        "    if table.column(increment.cursor).nullable:",
        "    if not table.columns:",
        f"{_MORE} {_LATE}",
    ),
    _m(
        "the oldest transaction at work is forgotten",
        "ingest/cursor.py",
        "            seconds += int(position[OLDEST_TRANSACTION]) + _MARGIN",
        "            seconds += 0",
        f"{_MORE} {_LATE}",
    ),
    _m(
        "a cursor in the future is followed",
        "ingest/cursor.py",
        "moment > present + _AHEAD",
        "moment > present + 99999 * _AHEAD",
        f"{_MORE} {_LATE}",
    ),
    _m(
        "another server is taken for the same",
        "ingest/cursor.py",
        "    return all(before[name] == now[name]",
        "    return True or all(before[name] == now[name]",
        f"{_MORE} tests/faults/test_network.py -k 'incremental or another_server'",
    ),
    _m(
        "a day is rounded the wrong way",
        "ingest/cursor.py",
        "-(-seconds // 86_400) * 86_400",
        "seconds // 86_400 * 86_400",
        f"{_MORE} {_LATE}",
    ),
    # What is proven
    _m(
        "a load that differs is committed",
        "ingest/load.py",
        "if found == _told(pending) else found",
        "if found else found",
        _LOAD,
    ),
    _m(
        "names are not compared when a table seems unchanged",
        "ingest/load.py",
        " and remembered.get(COLUMNS) == encode_columns(load.table.columns)",
        "",
        f"{_LOAD} tests/ingest/test_drift.py",
    ),
    _m(
        "a table that was emptied is published",
        "ingest/load.py",
        "if rows == 0 and load.rows_before > 0 and not load.allow_empty:",
        "if rows < 0:",
        f"{_LOAD} {_RUN}",
    ),
    _m(
        "a restored source is followed",
        "ingest/since.py",
        "        self._require_advance(load, before)\n",
        "",
        _MORE,
    ),
    _m(
        "the number of rows of another moment is believed",
        "ingest/witness.py",
        " or not same_moment(position, self._snapshot.position)",
        "",
        "tests/ingest/test_witness.py -k another_moment",
    ),
    _m(
        "the witness's number of rows is believed, whatever it is",
        "ingest/load.py",
        "if _answer(self._counts.get(load.name)) == staged.rows:",
        "if _answer(self._counts.get(load.name)) is not None:",
        "tests/ingest/test_witness.py -k gone",
    ),
    _m(
        "a load that was begun early leaves its files",
        "run/early.py",
        "                self._discard(pending.staged)\n",
        "                pass\n",
        "tests/run/test_early.py -k nobody",
    ),
    _m(
        "the checksum leaves out the last column",
        "contract/reconcile.py",
        "dialect.total(_row_hash(dialect, table.columns, by))]",
        "dialect.total(_row_hash(dialect, table.columns[:-1], by))]",
        f"{_SUMS} {_LOAD}",
    ),
    _m(
        "an exclusive or instead of a sum",
        "engine/proofdialect.py",
        "coalesce(sum(CAST({sql} AS UBIGINT)), 0)",
        "coalesce(bit_xor(CAST({sql} AS UBIGINT)), 0)",
        f"{_SUMS} tests/engine/test_engine_proofdialect.py",
    ),
    _m(
        "several rows of one key are merged",
        "ingest/merge.py",
        "            self._require_unique(key, staged.rows)\n",
        "",
        _MORE,
    ),
    _m(
        "a narrower type is taken over",
        "ingest/state.py",
        'else "narrowed"',
        'else "retyped"',
        "tests/ingest/test_drift.py",
    ),
    _m(
        "a fact with too many rows holds its grain",
        "contract/model_checks.py",
        "        if mine == theirs:",
        "        if mine >= theirs:",
        _CHECKS,
    ),
    _m(
        "a key that repeats twice is unique",
        "contract/model_checks.py",
        "having count(*) > 1)",
        "having count(*) > 2)",
        _CHECKS,
    ),
    _m(
        "a measure's sum is never wrong",
        "contract/model_checks.py",
        "    return a == b or (approximate and",
        "    return True or (approximate and",
        _CHECKS,
    ),
    _m(
        "rows that find no dimension are let through",
        "contract/model_checks.py",
        "    if orphans:",
        "    if orphans > 1_000_000:",
        _CHECKS,
    ),
    _m(
        "changed rows are not compared with the kept ones",
        "contract/part_checks.py",
        "semi join {added} as a on {same})",
        "semi join {added} as a on false)",
        "tests/transform/test_proving.py -k repeats",
    ),
    _m(
        "a dimension's row that went is not looked for",
        "contract/part_checks.py",
        "if known is None or orphans or after != rows_added or odd:",
        "if known is None or orphans or after != rows_added:",
        "tests/transform/test_proving.py -k refused",
    ),
    _m(
        "a cube keeps what a changed dimension said",
        "serve/cubepart.py",
        '            if self._one(f"select count(*) from {keys}"):',
        "            if not keys:",
        "tests/serve/test_carried.py -k said",
    ),
    _m(
        "a part of a cube is not proven",
        "serve/cubetable.py",
        "    if not proof.holds:\n        raise Unfit",
        "    if False:\n        raise Unfit",
        "tests/serve/test_carried.py -k missed",
    ),
    _m(
        "files of a fact that were missed are not noticed",
        "serve/cubepart.py",
        "        if sums[0] != self._part.rows:",
        "        if sums[0] < 0:",
        "tests/serve/test_carried.py -k missed",
    ),
    _m(
        "footers that do not count NULLs are believed about them",
        "transform/reach.py",
        "in each.items() if not nulls}",
        "in each.items()}",
        "tests/transform/test_reach.py",
    ),
    _m(
        "a broken promise is a warning",
        "transform/build.py",
        "if not verdict.holds and not verdict.warning]",
        "if not verdict.holds and verdict.warning]",
        "tests/transform",
    ),
    # How a run goes
    _m(
        "a run with errors publishes",
        "run/execute.py",
        "    if board.errors or options.hold:",
        "    if options.hold:",
        _RUN,
    ),
    _m(
        "a source is tried once too seldom",
        "run/ingesting.py",
        "if attempt == retries or board.stopped:",
        "if attempt >= retries - 1 or board.stopped:",
        _RETRY,
    ),
    _m(
        "a model built on what was read before a retry is kept",
        "run/board.py",
        "        if name not in self._stale:\n            return False",
        "        if True:\n            return False",
        _RETRY,
    ),
    _m(
        "the rows of a failed model stay in the lake",
        "transform/build.py",
        "            self._lake.discard(staged)\n",
        "            pass\n",
        "tests/transform tests/run/test_execute.py",
    ),
    # What the source says
    _m(
        "a replica may be behind what was read before",
        "run/ingesting.py",
        "            require_not_behind(steps, parts, snapshot)\n",
        "",
        "tests/faults/test_replica.py",
    ),
    _m(
        "boundaries of parts may descend",
        "source/mysql/boundaries.py",
        "if found and found[0][1]:",
        "if found:",
        "tests/ingest/test_part_keys.py",
    ),
    _m(
        "a fetcher forgets what it holds when the socket runs dry",
        "source/postgres/copying.py",
        "        while self._size < CHUNK:\n",
        "        self._size = 0\n        while self._size < CHUNK:\n",
        "tests/source/test_memory.py",
    ),
    _m(
        "a COPY that ends early is taken for whole",
        "source/postgres/source.py",
        "if not decoder.done or rows + decoder.rows != stream.rows:",
        "if decoder.done is None:",
        "tests/source/test_postgres.py tests/source/test_postgres_decode.py",
    ),
    _m(
        "row-level security hides rows silently",
        "source/postgres/session.py",
        '"row_security": "off"',
        '"row_security": "on"',
        "tests/source/test_postgres.py",
    ),
    _m(
        "a server may ask for a file of the client",
        "source/mysql/session.py",
        "local_infile=False",
        "local_infile=True",
        "tests/source/test_mysql_faults.py -k asks_for_a_file",
    ),
    _m(
        "a lost connection is the end of the rows",
        "source/mysql/session.py",
        "        if not count:\n"
        '            raise SourceUnavailable("the connection to the server was lost")\n'
        "        return int(count)",
        "        return int(count)",
        "tests/source/test_mysql_faults.py -k 'network_breaks and close'",
    ),
    # Who may know
    _m(
        "any token opens the door",
        "serve/guard.py",
        'return same and scheme.lower() == "bearer"',
        'return scheme.lower() == "bearer"',
        _GUARD,
    ),
    _m(
        "any host is answered",
        "serve/guard.py",
        'if headers.getlist("host") not in [[host] for host in self.gate.hosts]:',
        'if not headers.getlist("host"):',
        _GUARD,
    ),
    _m(
        "the console reads files of the machine",
        "engine/connect.py",
        'opened.execute("SET enable_external_access = false")',
        'opened.execute("SET enable_external_access = true")',
        "tests/engine/test_engine_connect.py",
    ),
    _m(
        "a password in an option is shown",
        "project/secrets.py",
        "    found = [match[2] for match in _OPTION.finditer(url)]",
        "    found: list[str] = []",
        _SECRETS,
    ),
    # Taken over, read again, paid
    _m(
        "a table of another run is taken over",
        "run/resume.py",
        'head.summary.get(RUN) not in left.runs or step.action not in ("check"',
        'step.action not in ("check"',
        "tests/run/test_resume.py -k 'killed_and_resumed and commit'",
    ),
    _m(
        "what is taken over is not compared",
        "run/ingesting.py",
        "if not step.taken or load.level not in _UNCOMPARED or load.head is None:",
        "if not step.taken or load.head is None:",
        "tests/run/test_resume.py -k 'moved_meanwhile or moves'",
    ),
    _m(
        "rows of a table that is taken over are not counted",
        "run/ingesting.py",
        "if reconcile.row_count(Side(dialect, snapshot.select), load.table) != rows:",
        "if False:",
        "tests/run/test_resume.py -k fingerprint",
    ),
    _m(
        "a table is taken over however it was read",
        "run/resume.py",
        "    if not same:",
        "    if False:",
        "tests/run/test_resume.py -k another_way",
    ),
    _m(
        "a held step is published",
        "run/execute.py",
        "    if board.errors or options.hold:",
        "    if board.errors:",
        "tests/run/test_resume.py -k held",
    ),
    _m(
        "a held model reads what is released",
        "run/board.py",
        "release = None if self._hold else self._lake.current_release()",
        "release = self._lake.current_release()",
        "tests/run/test_resume.py -k held",
    ),
    _m(
        "a finished run can be resumed",
        "run/execute.py",
        "        resume.end(parts.lake.root)",
        "        pass",
        "tests/run/test_resume.py -k ended_well",
    ),
    _m(
        "a back-fill reads nothing again",
        "ingest/since.py",
        "        if load.window:\n            again = window_condition",
        "        if False:\n            again = window_condition",
        "tests/ingest/test_window.py -k 'sqlite or command_line'",
    ),
    _m(
        "the upper bound of a back-fill is in it",
        "ingest/window.py",
        "{column} < {high",
        "{column} <= {high",
        "tests/ingest/test_window.py -k 'conditions'",
    ),
    _m(
        "the budget stops nothing",
        "cli/commands/costing.py",
        "    if why := over(project, made, target):\n        raise",
        "    if (why := over(project, made, target)) and not why:\n        raise",
        "tests/cost -k stop",
    ),
    _m(
        "less than a minute is paid by the second",
        "cost/estimate.py",
        "billed = max(math.ceil(seconds), LEAST_SECONDS)",
        "billed = math.ceil(seconds)",
        "tests/cost -k least",
    ),
    # Files that are lost or damaged, stores that lie, outputs that nobody reads
    _m(
        "a file of another size is taken for the one that was written",
        "lake/whole.py",
        'if known and size != int(known.partition(":")[0]):',
        "if known and size < 0:",
        f"{_FILES} -k cut",
    ),
    _m(
        "a footer is not compared",
        "lake/whole.py",
        'same = _beginning(file) == known.rpartition(":")[0]',
        "same = True",
        _WHOLE,
    ),
    _m(
        "files that stay are not compared",
        "lake/iceberg.py",
        '        whole.require(staged.name, path, known.get(path, ""))\n',
        '        whole.require(staged.name, path, "")\n',
        _WHOLE,
    ),
    _m(
        "a lake with lost files is published again",
        "lake/lake.py",
        "        self.require_whole(tables)\n",
        "",
        f"{_FILES} -k touch",
    ),
    _m(
        "a table is called unchanged whose file is lost",
        "cli/commands/common.py",
        "        if not choices.full_refresh:\n            lake.require_whole(heads)\n",
        "",
        f"{_FILES} -k 'lost and not history'",
    ),
    _m(
        "a release is deleted under its readers",
        "lake/cleaning.py",
        "        read = replaced > before\n",
        "        read = False\n",
        f"{_FILES} -k long_reader",
    ),
    _m(
        "files of a commit whose outcome is unknown are discarded",
        "lake/lake.py",
        "        if not self._taken.isdisjoint(staged.files):\n            return\n",
        "",
        _COMMIT,
    ),
    _m(
        "what a store said it has is not looked at",
        "lake/publish.py",
        "    files.verify()\n",
        "",
        f"{_CLOUD} -k f27",
    ),
    _m(
        "what a catalog said it has done is not looked at",
        "lake/publish.py",
        "    if remote.catalog.location(name) != new:\n        message",
        "    if not new:\n        message",
        f"{_CLOUD} -k f27",
    ),
    _m(
        "an answer that was lost is taken for a refusal",
        "lake/s3.py",
        "            if self.read(location) != content:\n                raise\n",
        "            raise\n",
        f"{_CLOUD} -k passes",
    ),
    # A project that was moved or copied
    _m(
        "a copy works on its original's lake",
        "catalog/local.py",
        "        if home and not self._is_here(home):\n",
        "        if False:\n",
        _MOVED,
    ),
    _m(
        "relocated manifests lead to the other folder",
        "lake/relocate.py",
        """                file["file_path"] = self.text(file["file_path"].decode()).encode()\n""",
        "",
        _MOVED,
    ),
    _m(
        "a relocated manifest's length is the old one",
        "lake/relocate.py",
        """                    record["manifest_length"] = self._manifest(old, name)\n""",
        "                    self._manifest(old, name)\n",
        _MOVED,
    ),
    _m(
        "a pointer that moves while a lake is relocated is lost",
        "catalog/local.py",
        "            if _home(db) != str(home) or inside != moved.keys():\n",
        "            if False:\n",
        _MOVED,
    ),
    _m(
        "relocated pointers move one transaction each",
        "catalog/local.py",
        """            db.execute("UPDATE mainstem_home SET path = ?", (self._here,))\n""",
        "",
        _MOVED,
    ),
    _m(
        "a journal names the files of the folder it was written in",
        "lake/journal.py",
        "(path.relative_to(self.home) if path.is_relative_to(self.home) else path)",
        "path",
        _MOVED,
    ),
    _m(
        "a load half done does not follow",
        "lake/journal.py",
        "        if base in moved:\n",
        "        if False:\n",
        _MOVED,
    ),
    _m(
        "an adopted version is spelled otherwise than the lake",
        "lake/adopt.py",
        "        path = lake / path.relative_to(folder)  # spelled as every path of the lake is\n",
        "",
        f"{_MOVED} -k adopted",
    ),
    _m(
        "a catalog is written through a hard link",
        "lake/relocate.py",
        "        if file.exists() and file.stat().st_nlink > 1:\n",
        "        if False:\n",
        _MOVED,
    ),
    # Publishing over a bad network
    _m(
        "a lock is not known as one's own",
        "lake/s3.py",
        "        if found.token != self._token:\n",
        "        if True:\n",
        f"{_NETWORK} -k 'once and lost'",
    ),
    _m(
        "an upload that is complete is taken for lost",
        "lake/s3.py",
        """            if not _says(error, "NoSuchUpload") or self._size(location) != size:\n""",
        "            if True:\n",
        f"{_NETWORK} -k not_known",
    ),
    _m(
        "a stalled connection to AWS is waited for as long as boto3 does",
        "wiring.py",
        "        read_timeout=target.timeout,\n",
        "",
        f"{_NETWORK} -k timeout_is",
    ),
    # Rows that the source no longer has
    _m(
        "Spark loses rows that are to stay",
        "job/script.py",
        """        if table["keeps"]:\n""",
        "        if False:\n",
        "tests/spark/test_parts.py -k 'longer_has_stay'",
    ),
    _m(
        "a local run after Spark's loses rows that are to stay",
        "ingest/load.py",
        "        return with_kept(self._lake, self._engine, head, load.table, increment.key, staged)\n",
        "        return staged\n",
        "tests/spark/test_parts.py -k 'longer_has_stay'",
    ),
    _m(
        "a run whose output nobody reads ends well",
        "cli/console.py",
        "        except OSError:\n            leave(2)\n            return len(text)\n",
        "        except ValueError:\n            return len(text)\n",
        "tests/faults/test_process.py -k f49",
    ),
)
