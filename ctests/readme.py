#!/usr/bin/env python3
"""Prints code of README.md, so that tests run what readers copy.

    readme.py LANGUAGE [WORDS]    the one block in LANGUAGE that contains WORDS; without WORDS all of them, each
                                  followed by a line with nothing but a NUL
"""

import pathlib
import re
import sys


def blocks(language):
    text = (pathlib.Path(__file__).resolve().parent.parent / "README.md").read_text()
    return re.findall(rf"^```{re.escape(language)}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def main():
    found = blocks(sys.argv[1])
    if len(sys.argv) == 2:
        print("".join(block + "\0\n" for block in found), end="")
        return
    found = [block for block in found if sys.argv[2] in block]
    if len(found) != 1:
        sys.exit(f"README.md has {len(found)} blocks in {sys.argv[1]} with {sys.argv[2]!r}, not one")
    print(found[0], end="")


main()
