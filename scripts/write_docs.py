"""Rewrites what commands print inside the documents: README's and the host's blocks, the rules, the stories.

With --check it writes nothing and ends with 1 when one of them is stale.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import example_host

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))  # its builders make the sights of operator_edges

import operator_edges  # noqa: E402 - found by the line above

WIDTH = 100
BLOCKS = {
    "demo": ("make demo", ("drill", "stories/platform-host-lost.toml")),
    "dry-run": (
        "picoha invoke events/alarm-platform.json --dry-run",
        ("invoke", "events/alarm-platform.json", "--dry-run"),
    ),
    "why": (
        "picoha why platform1 --against drill --story stories/hung-fence.toml --at 800",
        ("why", "platform1", "--against", "drill", "--story", "stories/hung-fence.toml", "--at", "800"),
    ),
}
"""The README's blocks: what the reader types, and the arguments of `picoha` that it comes to."""
RULES_HEAD = """# Rules

Written by `make docs` from `picoha rules`; do not edit. The first rule that matches decides, so the order is
part of the meaning. A number never changes its meaning: it stands in every row of the history, in the log and
in the messages.

| numbers | about |
|---|---|
| 1xx | what must be readable, understood, consistent and up to date before anything else is asked |
| 2xx | an operator's request |
| 30x to 32x | the open operation: fence, prove, wait for a replacement |
| 33x, 34x | the open operation: address, launch, grant |
| 35x to 37x | the open operation: verify, drain, wait for a human |
| 4xx | the holder is not well: confirm, restart in place, admit |
| 5xx, 999 | adopt, grant for the first time, keep the record true; nothing to do |
| 6xx | one held launch, whatever its slot is doing |

The tables are in `src/picoha/domain/`, one file for each block; an answer is the function of that name.

"""

EDGES_HEAD = """
## What an operator's command does

By the state of the slot: the rule that answers, how, and the state after it where that is another. A `refuse`
changes nothing. The request names the host that it is about: for `confirm-fenced` the one that owes evidence,
which is silent and shutting-down or, in `verifying`, runs and reports. Before any of these the
guards (1xx) are asked; `observe`, a pause or a holder that is not well refuse a `switchover` besides.

"""


def printed(arguments: tuple[str, ...]) -> str:
    """Return what `picoha` prints at 100 columns; raises CalledProcessError if it fails.

    1 is no failure: it says that something is refused or not well.
    """
    done = subprocess.run(
        [sys.executable, "-m", "picoha.cli.main", *arguments],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": str(WIDTH), "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 1):
        done.check_returncode()
    return done.stdout.rstrip("\n")


def with_block(text: str, name: str, content: str) -> str:
    """Return the text with `content` between a block's markers; raises ValueError without them."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise ValueError(f"the markers {begin} and {end} must stand there once")
    pattern = re.compile(f"(?<={re.escape(begin)}\n).*?(?={re.escape(end)})", re.DOTALL)
    return pattern.sub(lambda _: content + "\n", text)


def readme() -> str:
    """Return README.md with what the commands print today."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, (typed, arguments) in BLOCKS.items():
        text = with_block(text, name, f"```console\n$ {typed}\n{printed(arguments)}\n```")
    return text


def stories() -> str:
    """Return stories/README.md with one line for each story there is."""
    rows = ["| story | what happens | why it ends as it does |", "|---|---|---|"]
    for path in sorted((ROOT / "stories").glob("*.toml")):
        story = tomllib.loads(path.read_text(encoding="utf-8"))
        rows.append(f"| [{path.stem}]({path.name}) | {story['title']} | {story.get('why', '')} |")
    text = (ROOT / "stories" / "README.md").read_text(encoding="utf-8")
    return with_block(text, "stories", "\n".join(rows))


def host_document() -> str:
    """Return docs/host.md with what `picoha-agent` prints on the example host."""
    text = (ROOT / "docs" / "host.md").read_text(encoding="utf-8")
    for name, (typed, said) in example_host.printed().items():
        text = with_block(text, name, f"```console\n$ {typed}\n{said}\n```")
    return text


def rules() -> str:
    """Return docs/rules.md: both tables, and what every command of an operator comes to in every state."""
    return f"{RULES_HEAD}{printed(('rules',))}\n{EDGES_HEAD}{operator_edges.table()}\n"


def documents() -> Mapping[Path, str]:
    """Return every document that is written here, whole, as it should be today."""
    return {
        ROOT / "README.md": readme(),
        ROOT / "docs" / "host.md": host_document(),
        ROOT / "docs" / "rules.md": rules(),
        ROOT / "stories" / "README.md": stories(),
    }


def main(argv: list[str] | None = None) -> int:
    """Write the documents that changed, or only name them with --check."""
    parser = argparse.ArgumentParser(description="Rewrites the parts of the documents that commands print.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 when one is stale")
    is_check = parser.parse_args(argv).check
    stale = [
        (path, text)
        for path, text in documents().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path, text in stale:
        if not is_check:
            path.write_text(text, encoding="utf-8")
        print(f"{path.relative_to(ROOT)}: {'stale' if is_check else 'written'}")
    if not stale:
        print("every document is as the commands print")
    return 1 if stale and is_check else 0


if __name__ == "__main__":
    sys.exit(main())
