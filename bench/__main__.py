"""`make bench` lists the measurements; `make bench ARGS="probe --targets 1000"` runs one of them."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main(words: list[str]) -> int:
    files = {path.stem: path for path in sorted(HERE.glob("*.py")) if not path.stem.startswith("_")}
    if words and words[0] in files:
        return subprocess.run([sys.executable, str(files[words[0]]), *words[1:]], check=False).returncode
    for name, path in files.items():
        title = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0]
        print(f"{name:<12} {title}")
    print(f'\n{len(files)} measurements; next: make bench ARGS="probe"')
    return 2 if words else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
