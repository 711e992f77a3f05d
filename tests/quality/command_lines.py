"""Command lines in the docs, held against the tree of commands; nothing is run. And a cluster for those that are."""

from __future__ import annotations

import re
import shlex
from typing import Any

from docc.cli.options import arranged
from docs import commands

CLOSED = """\
{apiVersion: v1, kind: Config, current-context: none, contexts: [{name: none, context: {cluster: none, user: none}}],
 clusters: [{name: none, cluster: {server: "http://127.0.0.1:9"}}], users: [{name: none, user: {}}]}
"""
"""A kubeconfig of a cluster that nobody answers for."""


def words(line: str) -> list[str]:
    """The words of the docc command in a shell line, without what is piped, redirected or commented."""
    found = re.search(r"\bdocc\b((?:'[^']*'|\"[^\"]*\"|[^'\"|<>#()])*)", line)
    assert found is not None, line
    return shlex.split(found[1])


def parse(line: str) -> dict[str, Any]:
    """The command's parameters. Raises AssertionError if typer would refuse the line."""
    rest, _ = arranged(words(line))
    tree = {path: command for path, command in commands.tree()}
    path: tuple[str, ...] = ()
    while rest and (*path, rest[0]) in tree:
        path = (*path, rest.pop(0))
    assert path and not hasattr(tree[path], "commands"), f"no such command: {line}"
    try:
        context = tree[path].make_context(" ".join(path), rest)
    except Exception as error:
        raise AssertionError(f"{line}: {error!r}") from error
    found: dict[str, Any] = context.params
    return found
