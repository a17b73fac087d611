"""Where a commit's files are written and read, as pyiceberg asks for it; on this machine's disk."""

from __future__ import annotations

from abc import abstractmethod
from io import BytesIO, UnsupportedOperation
from pathlib import Path

from pyiceberg.io import FileIO, InputFile, InputStream, OutputFile, OutputStream

from mainstem.lake import storage


class Files(FileIO):
    """The files of one commit. A place has `read`, `exists`, `write` and `settle`; metadata files are small,
    so that pyiceberg's streams pass whole ones. Nothing is deleted here. `written`: what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []

    @abstractmethod
    def read(self, location: str) -> bytes:
        """A whole file."""

    @abstractmethod
    def exists(self, location: str) -> bool:
        """Is there a file of that name?"""

    @abstractmethod
    def write(self, location: str, content: bytes) -> None:
        """A new file. FileExistsError if there is one of that name."""

    @abstractmethod
    def settle(self, folder: str) -> None:
        """What was written to the folder is durable when this returns."""

    def new_input(self, location: str) -> InputFile:
        """See FileIO."""
        return _Input(self, location)

    def new_output(self, location: str) -> OutputFile:
        """See FileIO."""
        return _Output(self, location)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        """UnsupportedOperation: the lake deletes its files itself."""
        raise UnsupportedOperation("the lake deletes its files itself")


class LocalFiles(Files):
    """New files on the local file system, each forced to the disk."""

    def read(self, location: str) -> bytes:
        """See Files."""
        return Path(location).read_bytes()

    def exists(self, location: str) -> bool:
        """See Files."""
        return Path(location).exists()

    def write(self, location: str, content: bytes) -> None:
        """See Files."""
        self.written.append(location)
        storage.write(Path(location), content)

    def settle(self, folder: str) -> None:
        """See Files."""
        storage.sync(Path(folder))


class _Input(InputFile):
    def __init__(self, files: Files, location: str) -> None:
        super().__init__(location)
        self._files = files

    def __len__(self) -> int:
        return len(self._files.read(self.location))

    def exists(self) -> bool:
        return self._files.exists(self.location)

    def open(self, seekable: bool = True) -> InputStream:
        return BytesIO(self._files.read(self.location))


class _Output(OutputFile):
    def __init__(self, files: Files, location: str) -> None:
        super().__init__(location)
        self._files = files

    def __len__(self) -> int:
        return len(self._files.read(self.location))

    def exists(self) -> bool:
        return self._files.exists(self.location)

    def to_input_file(self) -> InputFile:
        return _Input(self._files, self.location)

    def create(self, overwrite: bool = False) -> OutputStream:
        return _Whole(self._files, self.location)


class _Whole:
    """Holds a file until it is closed, then writes it in one go."""

    def __init__(self, files: Files, location: str) -> None:
        self._files = files
        self._location = location
        self._content = BytesIO()

    def write(self, content: bytes) -> int:
        return self._content.write(content)

    def tell(self) -> int:
        return self._content.tell()

    def close(self) -> None:
        if not self._content.closed:
            content = self._content.getvalue()
            self._content.close()
            self._files.write(self._location, content)

    def __enter__(self) -> _Whole:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
