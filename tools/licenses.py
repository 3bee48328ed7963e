#!/usr/bin/env python3
"""Collects the licences of what a release redistributes, every text once, on standard output.

    licenses.py crates [CARGO FLAGS]   of the crates that the program is linked from
    licenses.py wheel FILE.whl         of libtorch, out of PyTorch's wheel: licenses/libtorch.txt

A crate without a text of its own is an error, so that none is left out unnoticed, unless
WITHOUT_TEXT says which crate has it.
"""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Dict, Iterable, List, Tuple

ROOT = Path(__file__).resolve().parent.parent
NAMES = re.compile(r"(un)?licen[cs]e|copying|copyright|notice", re.IGNORECASE)
# Code, pictures and the like that merely bear such a name.
NO_TEXT = re.compile(r"\.(rs|py|c|h|html|svg|png|toml|json|spdx)$", re.IGNORECASE)

# Crates that are published without their licence, and which of the same repository has it.
WITHOUT_TEXT = {"torch-sys": "tch", "safetensors": "safetensors"}

Texts = List[Tuple[str, List[str]]]


def main() -> None:
    if sys.argv[1:2] == ["crates"]:
        print(document("The crates", crates(sys.argv[2:])), end="")
    elif sys.argv[1:2] == ["wheel"] and len(sys.argv) == 3:
        print(document("libtorch, and what it is built from", wheel(Path(sys.argv[2]))), end="")
    else:
        sys.exit(__doc__)


def document(title: str, parts: Texts) -> str:
    """The names with their licences, then each distinct text with the names of those it is of."""
    owners: Dict[str, Tuple[str, List[str]]] = {}
    for name, texts in parts:
        for text in texts:
            # Line ends and indentation make no other licence.
            owners.setdefault(" ".join(text.split()), (text, []))[1].append(name)
    lines = ["{}:".format(title), ""] + ["  " + name for name, _ in parts]
    for text, names in owners.values():
        lines += ["", "=" * 80, ", ".join(dict.fromkeys(names)), "-" * 80]
        lines += [line.rstrip() for line in text.strip("\n").splitlines()]
    return "\n".join(lines) + "\n"


def crates(flags: List[str]) -> Texts:
    cargo = os.environ.get("CARGO", "cargo")
    tree = [cargo, "tree", "--locked", "--edges=normal", "--prefix=none", "--format={p}"] + flags
    linked = {tuple(line.split()[:2]) for line in output(tree).splitlines() if line}
    metadata = json.loads(output([cargo, "metadata", "--locked", "--format-version=1"]))
    packages = [p for p in metadata["packages"] if (p["name"], "v" + p["version"]) in linked]
    # The program itself has no source in a registry.
    packages = [p for p in packages if p["source"] is not None]
    found = [(p["name"], texts_in(Path(p["manifest_path"]).parent)) for p in packages]
    texts_of = {name: texts for name, texts in found if texts}
    parts: Texts = []
    for package, (name, texts) in zip(packages, found):
        texts = texts or texts_of.get(WITHOUT_TEXT.get(name, ""), [])
        if not texts:
            sys.exit("licenses: {} carries no licence text: say in WITHOUT_TEXT who has it".format(name))
        parts.append(("{} {} ({})".format(name, package["version"], package["license"]), texts))
    return sorted(parts)


def texts_in(directory: Path) -> List[str]:
    """Also those of the C code that some crates bring along."""
    files = sorted(f for f in directory.rglob("*") if f.is_file() and is_licence(f.name))
    return [f.read_text(errors="replace") for f in files]


def is_licence(name: str) -> bool:
    return bool(NAMES.match(name)) and not NO_TEXT.search(name)


def wheel(path: Path) -> Texts:
    with zipfile.ZipFile(path) as archive:
        files = [n for n in archive.namelist() if ".dist-info/licenses/" in n and not n.endswith("/")]
        named = [(n.split("/licenses/", 1)[1], archive.read(n).decode(errors="replace")) for n in files]
    return [("PyTorch" if name == "LICENSE" else name.rsplit("/", 1)[0], [text]) for name, text in named]


def output(command: Iterable[str]) -> str:
    return subprocess.run(list(command), cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
