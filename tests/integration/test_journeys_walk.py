"""How the commands of a page are typed: in order, in one shell, until one fails."""

from pathlib import Path

import pytest
from support.walk import Walk, read_walk, take

PAGE = """---
test: {}
---
# A walk

```bash
export NAME=kim
```

```text
false
```

<!-- background, until "ready" -->
```bash
bash -c 'trap "echo stopped > stopped; exit 0" TERM; echo ready 1>&2; while true; do read -rt 1 <> <(:) || true; done'
```

```bash
test ! -e stopped
echo "$NAME at 127.0.0.1:8080" > told
LAST
```
"""


def walk(folder: Path, *, last: str) -> Walk:
    page = folder / "page.md"
    page.write_text(PAGE.replace("LAST", last))
    return read_walk(page)


def test_blocks_share_a_shell_text_is_left_out_and_the_port_is_that_of_the_test(tmp_path: Path) -> None:
    found = walk(tmp_path, last="echo fine")

    said = take(found.blocks, folder=tmp_path, environment={}, port=4711)

    assert len(found.blocks) == 3
    assert said == "fine\n"
    assert (tmp_path / "told").read_text() == "kim at 127.0.0.1:4711\n"


def test_what_runs_in_the_background_is_ended_after_the_last_block(tmp_path: Path) -> None:
    take(walk(tmp_path, last="true").blocks, folder=tmp_path, environment={}, port=1)

    assert (tmp_path / "stopped").read_text() == "stopped\n"


@pytest.mark.parametrize(
    "last", ["false", "false | true", "no-such-command", "echo $NO_SUCH_VARIABLE", "false\ntrue"], ids=str
)
def test_the_first_command_that_fails_ends_the_walk_and_is_named(tmp_path: Path, last: str) -> None:
    with pytest.raises(AssertionError, match="failed:"):
        take(walk(tmp_path, last=last).blocks, folder=tmp_path, environment={}, port=1)


def test_something_in_the_background_that_ends_before_it_is_ready_fails_the_walk(tmp_path: Path) -> None:
    found = walk(tmp_path, last="true")
    early = found.blocks[1].__class__("bash -c 'echo no 1>&2'", is_shared=False, until="ready")

    with pytest.raises(AssertionError, match="ended before it said 'ready': no"):
        take((early,), folder=tmp_path, environment={}, port=1)


def test_a_rule_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("---\ntest: {}\n---\n<!-- untested -->\n```bash\ntrue\n```\n")

    with pytest.raises(AssertionError, match="'untested' before a block"):
        read_walk(page)
