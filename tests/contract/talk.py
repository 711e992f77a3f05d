"""One case's conversation with a server, and its transcript: what was answered, as far as docc or a user of it reads it.

What differs from server to server for good reason gets a name in the order of its appearance: uids, versions, addresses; times
and the case's namespace are only marked as such. A refusal is noted whole: code, reason, message, and its causes' reasons and
fields. The causes' own words, and the message that repeats them, are every validator's own, and left out.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import Any

from tests.contract.api import Answer, Api, Ask, Object, path

_UID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_ADDRESS = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")
_VERSION = re.compile(r"\b\d{2,}\b")
ABSENT = "(absent)"


class Talk:
    """namespace: the case's own."""

    def __init__(self, api: Api, namespace: str) -> None:
        self.api, self.namespace = api, namespace
        self.transcript: list[Object] = []
        self._named: dict[str, str] = {namespace: "NAMESPACE"}
        self._counts: dict[str, int] = {}
        self._versions: set[str] = set()

    # --- addresses
    def at(self, plural: str, *names: str) -> str:
        return path(plural, self.namespace, *names)

    # --- asking
    def ask(self, step: str, ask: Ask, show: Sequence[str] = (), *, words: bool = True) -> Object:
        """Asks and notes what was answered. show: the paths of an object that matter. words: whether a message does."""
        answer = self.send(ask)
        self.note(step, self.told(answer, show, words))
        return answer.body

    def send(self, ask: Ask) -> Answer:
        """Not noted."""
        answer = self.api.send(ask)
        self._learn(answer.body)
        return answer

    def make(self, plural: str, body: Object) -> Object:
        """Creates what the case needs; not noted. Raises AssertionError for a refusal."""
        found = self.api.good(Ask("POST", self.at(plural), body))
        self._learn(found)
        return found

    def change(self, where: str, patch: Any) -> Object:
        """The same for a patch: a list is a JSON Patch, an object a merge patch."""
        found = self.api.good(Ask("PATCH", where, patch))
        self._learn(found)
        return found

    def until(self, where: str, holds: Callable[[Object], Any], **query: str) -> Object:
        """Not noted: how often one has to look is no answer."""
        found = self.api.until(Ask("GET", where, query=query), holds)
        self._learn(found)
        return found

    def quiet(self, where: str) -> Object:
        """The object when nobody has written it for a while."""
        seen, since = "", time.monotonic()
        while True:
            found = self.api.good(Ask("GET", where))
            version = found["metadata"]["resourceVersion"]
            if version != seen:
                seen, since = version, time.monotonic()
            elif time.monotonic() - since > self.api.settled_seconds:
                self._learn(found)
                return found
            time.sleep(0.05)

    # --- noting
    def note(self, step: str, said: Any) -> None:
        self.transcript.append({self._text(step): self._spoken(said)})

    def show(self, step: str, body: Object, *paths: str) -> None:
        self.note(step, {where: picked(body, where) for where in paths})

    def told(self, answer: Answer, show: Sequence[str] = (), words: bool = True) -> Object:
        body = answer.body
        if body.get("kind") != "Status":
            return {"code": answer.code, **{where: picked(body, where) for where in show}}
        if body.get("status") == "Success":
            return {"code": answer.code, "status": "Success", "details": body.get("details")}
        return {"code": answer.code, **refusal(body, words)}

    def _learn(self, body: Any) -> None:
        """Which numbers are versions."""
        if isinstance(body, dict):
            if isinstance(version := body.get("resourceVersion"), str):
                self._versions.add(version)
            for value in body.values():
                self._learn(value)
        elif isinstance(body, list):
            for value in body:
                self._learn(value)

    def _spoken(self, said: Any) -> Any:
        if isinstance(said, dict):
            return {self._spoken(key): self._spoken(value) for key, value in said.items()}
        if isinstance(said, list | tuple):
            return [self._spoken(value) for value in said]
        return self._text(said) if isinstance(said, str) else said

    def _text(self, text: str) -> str:
        text = _UID.sub(lambda found: self._name("uid", found[0]), text.replace(self.namespace, "NAMESPACE"))
        text = _ADDRESS.sub(lambda found: self._name("address", found[0]), _TIME.sub("TIME", text))
        return _VERSION.sub(
            lambda found: self._name("version", found[0]) if found[0] in self._versions else found[0], text
        )

    def _name(self, kind: str, raw: str) -> str:
        if raw not in self._named:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._named[raw] = f"{kind.upper()}-{self._counts[kind]}"
        return self._named[raw]


def refusal(status: Object, words: bool = True) -> Object:
    details = status.get("details") or {}
    found: Object = {"reason": status.get("reason", ABSENT)}
    causes = [[cause.get("reason", ABSENT), cause.get("field", ABSENT)] for cause in details.get("causes") or []]
    if causes:
        found["causes"] = sorted(causes)
    elif words:
        found["message"] = status.get("message", "")
    return found | ({"name": details["name"]} if details.get("name") else {})


def picked(body: Any, where: str) -> Any:
    """The value at a path like status/parents/0/conditions."""
    for part in where.split("/"):
        if isinstance(body, list) and part.isdigit() and int(part) < len(body):
            body = body[int(part)]
        elif isinstance(body, dict) and part in body:
            body = body[part]
        else:
            return ABSENT
    return body
