"""Which cluster, and as whom: kubeconfig files, or a pod's service account -> a Login. No request is made here.

Target precedence: --kubeconfig, KUBECONFIG (a list is merged), ~/.kube/config, in-cluster. The kubernetes library reads
certificates and tokens and runs exec plugins. Set right here is what it does otherwise than kubectl: of several files the
first that names a current context decides; a user that is missing, or whose plugin fails, is an error and not a login as
nobody; and no message quotes an entry of the file, which may hold a token.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib
import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Never
from urllib.parse import quote

from docc.model.errors import CredentialsError, DoccError, UsageError

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
CONNECTIONS_MAX = 16
"""Four watches, the driver, and Prometheus' queries through the API server, all at once."""
_NOTHING = "nothing was touched"
_ACTING = "--as, --as-group, or the kubeconfig's user"
_FIX = "kubectl config view; --kubeconfig FILE chooses another"


@dataclass(frozen=True, slots=True)
class Acting:
    """As whom the user wants to be seen (kubernetes.io, "User impersonation")."""

    user: str = ""
    groups: tuple[str, ...] = ()
    uid: str = ""

    def headers(self, extra: Mapping[str, Sequence[str]] = MappingProxyType({})) -> tuple[tuple[str, str], ...]:
        """Raises CredentialsError for what cannot be sent, and for groups without a user, which no server accepts."""
        rows = [("Impersonate-User", self.user), ("Impersonate-Uid", self.uid)]
        rows += [("Impersonate-Group", group) for group in self.groups]
        rows += [(f"Impersonate-Extra-{quote(key, safe='')}", each) for key, values in extra.items() for each in values]
        found = tuple((name, value) for name, value in rows if value)
        if found and not self.user:
            _unusable("whom to act as is not named", _ACTING, "a group, uid or extra needs a user", "--as USER")
        for _, value in found:
            if not (value.isascii() and value.isprintable()):
                _unusable("whom to act as cannot be sent", _ACTING, "a name is printable ASCII", "--as USER")
        return found


NOBODY_ELSE = Acting()


@dataclass(frozen=True, slots=True, repr=False)
class Login:
    """client: the kubernetes library's, with its pool of connections. context: as people know it. acting: headers that say as
    whom the user wants to be seen, which the library leaves out."""

    client: Any
    context: str
    namespace: str | None
    acting: tuple[tuple[str, str], ...] = ()

    @property
    def server(self) -> str:
        return str(self.client.configuration.host)

    def authorization(self) -> str | None:
        """The header's value, refreshed if it is known to have expired. Raises CredentialsError."""
        try:
            with _library_words():
                found = self.client.configuration.auth_settings().get("BearerToken", {}).get("value")
        except Exception as error:  # a token file that is gone, a plugin's odd answer: whatever reading it anew raises
            _unusable("the login cannot be renewed", self.context, _cause(error))
        value = str(found or "").strip()
        if not (value.isascii() and value.isprintable()):
            _unusable("the login holds characters that cannot be sent", self.context, "a token is printable ASCII")
        return value or None


def log_in(
    kubeconfig: str | None, context: str | None, service_account: Path = SERVICE_ACCOUNT, acting: Acting = NOBODY_ELSE
) -> Login:
    """acting: in the place of what the kubeconfig says of it. Raises CredentialsError, UsageError."""
    headers = acting.headers()
    found = _logged_in(kubeconfig, context, service_account)
    return replace(found, acting=headers) if headers else found


def _logged_in(kubeconfig: str | None, context: str | None, service_account: Path) -> Login:
    _load_the_library()
    import urllib3

    # Who writes insecure-skip-tls-verify into a kubeconfig knows it; a warning at every request would tell nobody more.
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    home = os.path.expanduser("~/.kube/config")
    files = kubeconfig or os.environ.get("KUBECONFIG") or (home if os.path.exists(home) else "")
    if files:
        return _from_files(files, context)
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        if context is not None:
            raise UsageError(
                f'there is no kubeconfig that could have the context "{context}"',
                why="docc runs in a pod, with the pod's service account",
                state=_NOTHING,
                fix="leave --context out, or name a file with --kubeconfig",
            )
        return _from_pod(service_account)
    raise CredentialsError(
        "no cluster is configured",
        why="$KUBECONFIG is not set, ~/.kube/config does not exist, and this is no pod",
        state=_NOTHING,
        fix="docc sandbox up, or --kubeconfig FILE, or doctl kubernetes cluster kubeconfig save NAME",
    )


def _load_the_library() -> None:
    """For OAuth it brings requests along, and that the tables by which it guesses a text's encoding where no server tells it:
    3 MiB and 15 ms. It can do without (then it is UTF-8), and warns of it."""
    for name in ("chardet", "charset_normalizer"):
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # None: "is not to be had" (the import system)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module("kubernetes.config")


def _from_pod(folder: Path) -> Login:
    from kubernetes.client import ApiClient, Configuration
    from kubernetes.config.incluster_config import InClusterConfigLoader

    configuration = Configuration()
    configuration.connection_pool_maxsize = CONNECTIONS_MAX
    namespace = folder / "namespace"
    try:
        InClusterConfigLoader(str(folder / "token"), str(folder / "ca.crt")).load_and_set(configuration)
        name = namespace.read_text(encoding="utf-8").strip() if namespace.exists() else ""
    except Exception as error:  # the library's own, and what reading files raises
        _unusable(
            "the pod's service account cannot be used", str(folder), _cause(error), "automountServiceAccountToken?"
        )
    return Login(ApiClient(configuration), "in-cluster", name or None)


def _from_files(files: str, wanted: str | None) -> Login:
    from kubernetes.client import Configuration
    from kubernetes.config import kube_config

    try:
        read = kube_config.KubeConfigMerger(files).config_files
    except Exception as error:  # YAML's own, the library's, and what odd content makes of both
        _unusable("the kubeconfig cannot be used", files, _fault(error))
    if not read:
        _unusable("the kubeconfig does not exist", files)
    name, entry = _choose(_contexts(read, files), _current(read), wanted, files)
    users = _users(read)
    if entry.get("user") and entry["user"] not in users:
        _unusable("the kubeconfig cannot be used", files, f'context "{name}": it has no user "{entry["user"]}"')
    configuration = Configuration(host="")
    configuration.connection_pool_maxsize = CONNECTIONS_MAX
    try:
        with _library_words() as words:
            client = kube_config.new_client_from_config(files, context=name, client_configuration=configuration)
    except Exception as error:  # as above, and ssl's
        _unusable("the kubeconfig cannot be used", files, f'context "{name}": {_cause(error)}')
    if not client.configuration.host:
        _unusable("the kubeconfig cannot be used", files, f'context "{name}": its cluster names no server')
    acting = _acting(users.get(entry.get("user")), f'{files}, context "{name}"')
    login = Login(client, name, str(entry["namespace"]) if entry.get("namespace") else None, acting)
    if words and login.authorization() is None and not client.configuration.cert_file:
        fix = "run the command of the context's user (exec) by hand, or log in again"
        _unusable("the kubeconfig's login command failed", f'{files}, context "{name}"', words[-1], fix)
    return login


def _contexts(read: Mapping[str, Any], files: str) -> dict[str, Mapping[str, Any]]:
    """By name; of several of one name the first counts, as kubectl has it."""
    found: dict[str, Mapping[str, Any]] = {}
    for config in read.values():
        for entry in config.get("contexts") or []:
            if not isinstance(entry, dict) or not entry.get("name") or not isinstance(entry.get("context"), dict):
                _unusable("the kubeconfig cannot be used", files, 'each of its contexts needs "name" and "context"')
            found.setdefault(str(entry["name"]), entry["context"])
    return found


def _users(read: Mapping[str, Any]) -> dict[Any, Any]:
    """By name; the first of a name counts."""
    users = [user for config in read.values() for user in config.get("users") or [] if isinstance(user, dict)]
    return {user.get("name"): user.get("user") for user in reversed(users)}


def _acting(user: Any, where: str) -> tuple[tuple[str, str], ...]:
    """What the kubeconfig's user says of impersonation: `as`, `as-uid`, `as-groups`, `as-user-extra`."""
    if not isinstance(user, dict):
        return ()
    groups, extra = user.get("as-groups") or [], user.get("as-user-extra") or {}
    lists = [groups, *extra.values()] if isinstance(extra, dict) else [None]
    if not all(isinstance(each, list) for each in lists):
        _unusable("the kubeconfig cannot be used", where, "as-groups is a list, as-user-extra maps names to lists")
    more = {str(key): [str(value) for value in values] for key, values in extra.items()}
    return Acting(str(user.get("as") or ""), tuple(map(str, groups)), str(user.get("as-uid") or "")).headers(more)


def _current(read: Mapping[str, Any]) -> str | None:
    return next((str(config["current-context"]) for config in read.values() if config.get("current-context")), None)


def _choose(
    contexts: Mapping[str, Mapping[str, Any]], current: str | None, wanted: str | None, files: str
) -> tuple[str, Mapping[str, Any]]:
    name, has = wanted or current, f"it has {', '.join(contexts) or 'none'}"
    if name is None:
        _unusable(
            "the kubeconfig has no current context", files, has, "--context NAME, or kubectl config use-context NAME"
        )
    if name in contexts:
        return name, contexts[name]
    if wanted is None:
        _unusable(
            f'the kubeconfig has no context "{name}", which it calls the current one', files, has, "--context NAME"
        )
    near = difflib.get_close_matches(name, contexts, 1)
    raise UsageError(
        f'the kubeconfig has no context "{name}"' + (f', did you mean "{near[0]}"?' if near else ""),
        why=has,
        state=_NOTHING,
    )


def _unusable(what: str, where: str, why: str = "", fix: str = _FIX) -> Never:
    raise CredentialsError(what, where=where, why=why, state=_NOTHING, fix=fix)


def _fault(error: Exception) -> str:
    """A place in the file, never its text."""
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        return f"line {mark.line + 1}, column {mark.column + 1}: {getattr(error, 'problem', '')}"
    if isinstance(error, OSError):
        return _cause(error)
    return "it is not a kubeconfig: clusters, contexts and users, each a list of entries with names"


def _cause(error: Exception) -> str:
    if isinstance(error, DoccError):
        return error.why or error.what
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return _first_line(str(error)) or type(error).__name__


def _first_line(words: str) -> str:
    """Without what the library quotes: it names an entry by all that the entry holds."""
    return "\n".join(re.sub(r"\{.*", "{...}", words, flags=re.DOTALL).strip().splitlines()[:1])[:300]


class _Heard(logging.Handler):
    def __init__(self, words: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._words = words

    def emit(self, record: logging.LogRecord) -> None:
        self._words.append(_first_line(record.getMessage()))


@contextlib.contextmanager
def _library_words() -> Iterator[list[str]]:
    """The library tells of a plugin's failure only in the root log, and would print it there."""
    words: list[str] = []
    heard, root = _Heard(words), logging.getLogger()
    root.addHandler(heard)
    try:
        yield words
    finally:
        root.removeHandler(heard)
