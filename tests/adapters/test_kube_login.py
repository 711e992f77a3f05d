"""Which cluster, and as whom: files as people have them, plugins as real programs, and never a token in a message."""

from __future__ import annotations

import base64
import json
import logging
import os
import stat
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from docc.adapters.kube_connection import READ_SECONDS, Connection, Request, choose_namespace
from docc.adapters.kube_login import Acting
from docc.model.errors import CredentialsError, DoccError, ExitCode, LoginLost, Unreachable, UsageError
from tests.adapters.kubeconfig import TOKEN, connect, entries, write
from tests.adapters.server import Exchange, certificate, serve, tls
from tests.adapters.test_kube_errors import words

PATH = "/version"


def refused(**options: Any) -> DoccError:
    with pytest.raises(DoccError) as caught:
        Connection(**options)
    assert TOKEN not in words(caught.value) and caught.value.state == "nothing was touched"
    return caught.value


def without(content: dict[str, Any], *path: str | int) -> dict[str, Any]:
    at: Any = content
    for step in path[:-1]:
        at = at[step]
    del at[path[-1]]
    return content


BAD = {
    "bad YAML": (f"users:\n- token: {TOKEN}\n  x: : y\n", "line 3, column 6"),
    "half of YAML": ('{"users": [', "line 1, column 12"),
    "a list": (f"- {TOKEN}\n", "not a kubeconfig"),
    "a text": (TOKEN, "not a kubeconfig"),
    "empty": ("", "not a kubeconfig"),
    "users that are a text": (f"users: {TOKEN}\nclusters: []\n", "not a kubeconfig"),
    "users that are a mapping": (json.dumps({**entries("http://a"), "users": {"here": {"token": TOKEN}}}), "no user"),
    "a user that is a text": (json.dumps({**entries("http://a"), "users": [TOKEN]}), "no user"),
    "contexts that are a number": (json.dumps({**entries("http://a"), "contexts": 7}), "not a kubeconfig"),
    "a context that is a text": (json.dumps({**entries("http://a"), "contexts": ["here"]}), "context"),
    "a cluster without a name": (json.dumps(without(entries("http://a"), "clusters", 0, "name")), "name"),
    "a context without a name": (json.dumps(without(entries("http://a"), "contexts", 0, "name")), "name"),
    "a context that is empty": (json.dumps({**entries("http://a"), "contexts": [{"name": "here"}]}), "context"),
    "a user that is none": (json.dumps({**entries("http://a"), "users": [{"name": "here", "token": TOKEN}]}), "user"),
    "a user that is not there": (json.dumps({**entries("http://a"), "users": []}), "no user"),
    "a cluster that is not there": (json.dumps({**entries("http://a"), "clusters": []}), "clusters"),
    "no server": (json.dumps(without(entries("http://a"), "clusters", 0, "cluster", "server")), "names no server"),
    "a certificate that is not there": (json.dumps(entries("https://a", {"client-certificate": "gone.crt"})), "gone.crt"),
    "an authority that is not base64": (json.dumps(entries("https://a", cluster={"certificate-authority-data": "x"})), "here"),
    "a token file that is not there": (json.dumps(entries("http://a", {"tokenFile": "gone.token"})), "gone.token"),
    "a plugin without a command": (json.dumps(entries("http://a", {"exec": {"apiVersion": "v1"}, "x": TOKEN})), "command"),
    "a proxy of an unknown kind": (json.dumps(entries("http://a", cluster={"proxy-url": "nonsense://p"})), "here"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "why"), BAD.values(), ids=BAD)
def test_a_kubeconfig_that_cannot_be_used_is_named_with_its_fault(content: str, why: str, tmp_path: Path) -> None:
    path = write(tmp_path, content)
    error = refused(kubeconfig=path)
    assert type(error) is CredentialsError and error.where.startswith(path) and why in error.why, words(error)
    assert error.fix and "Traceback" not in error.why and "NoneType" not in error.why


def test_a_kubeconfig_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = str(tmp_path / "gone")
    error = refused(kubeconfig=gone)
    assert (type(error), error.what, error.where) == (CredentialsError, "the kubeconfig does not exist", gone)
    monkeypatch.setenv("KUBECONFIG", f"{gone}{os.pathsep}{gone}2")
    assert refused().what == "the kubeconfig does not exist"
    assert "Is a directory" in refused(kubeconfig=str(tmp_path)).why
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00\x81")
    assert "not a kubeconfig" in refused(kubeconfig=str(tmp_path / "bytes")).why


def test_no_cluster_at_all() -> None:
    error = refused()
    assert type(error) is CredentialsError and error.what == "no cluster is configured"
    assert "docc sandbox up" in error.fix and "KUBECONFIG" in error.why


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        (("flag", "env", "home"), "flag"), ((None, "env", "home"), "env"), ((None, "", "home"), "home"),
        ((None, None, "home"), "home"), ((None, "env", None), "env"), (("flag", None, None), "flag"),
    ],
)  # fmt: skip
def test_the_flag_then_the_variable_then_the_home(
    there: tuple[str | None, ...], expected: str, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flag, variable, at_home = there
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")  # a file, where there is one, is before the pod
    if variable is not None:
        monkeypatch.setenv("KUBECONFIG", variable and write(tmp_path, entries("http://env", name="env"), "env"))
    if at_home:
        (home / ".kube").mkdir()
        write(home / ".kube", entries("http://home", name="home"), "config")
    chosen = write(tmp_path, entries("http://flag", name="flag"), "flag") if flag else None
    connection = Connection(kubeconfig=chosen)
    assert (connection.context_name, connection.server) == (expected, f"http://{expected}")


def test_several_files_are_merged_and_the_first_word_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = without(entries("http://first", name="first", namespace="one"), "current-context")
    second = entries("http://127.0.0.1:2", {"token": "two"}, name="second", namespace="two")
    third = entries("http://third", name="third")
    third["contexts"].append({"name": "second", "context": {"cluster": "third", "user": "third"}})
    files = [write(tmp_path, content, f"{i}") for i, content in enumerate((first, second, third))]
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join([str(tmp_path / "gone"), *files]))
    chosen = Connection()
    assert (chosen.context_name, chosen.server, chosen.context_namespace) == ("second", "http://127.0.0.1:2", "two")
    assert Connection(context="first").server == "http://first"
    assert Connection(context="third").context_namespace is None


def test_a_context_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    path = write(tmp_path, entries("http://a", name="production"))
    error = refused(kubeconfig=path, context="producton")
    assert type(error) is UsageError and error.why == "it has production"
    assert error.what == 'the kubeconfig has no context "producton", did you mean "production"?'
    assert "did you mean" not in refused(kubeconfig=path, context="zzz").what


def test_without_a_current_context_one_must_be_named(tmp_path: Path) -> None:
    for content in (without(entries("http://a"), "current-context"), {**entries("http://a"), "current-context": ""}):
        path = write(tmp_path, content)
        error = refused(kubeconfig=path)
        assert error.what == "the kubeconfig has no current context" and error.why == "it has here"
        assert "--context NAME" in error.fix
        assert Connection(kubeconfig=path, context="here").server == "http://a"
    lost = refused(kubeconfig=write(tmp_path, {**entries("http://a"), "current-context": "gone"}))
    assert 'no context "gone"' in lost.what and "current" in lost.what and lost.why == "it has here"


@pytest.mark.parametrize(
    ("flag", "variable", "manifest", "context", "expected"),
    [
        ("f", None, None, "c", "f"), ("f", "v", None, "c", "f"), ("f", "v", "f", "c", "f"), (None, "v", None, "c", "v"),
        (None, "", "m", "c", "m"), (None, "m", "m", "c", "m"), (None, None, "m", "c", "m"), (None, None, None, "c", "c"),
        (None, None, None, None, "default"), (None, None, None, "", "default"),
    ],
)  # fmt: skip
def test_choice_of_the_namespace(
    flag: str | None,
    variable: str | None,
    manifest: str | None,
    context: str | None,
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if variable is not None:
        monkeypatch.setenv("DOCC_NAMESPACE", variable)
    assert choose_namespace(flag, manifest, context) == expected


@pytest.mark.parametrize(("flag", "origin"), [("f", "--namespace"), (None, "DOCC_NAMESPACE")])
def test_two_namespaces_that_differ_are_an_error(
    flag: str | None, origin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCC_NAMESPACE", "v")
    with pytest.raises(UsageError, match=f'{origin} says "{flag or "v"}", the manifest says "m"'):
        choose_namespace(flag, "m", None)


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


LOGINS = {
    "a token": ({"token": "abc"}, "Bearer abc"),
    "a token with a line's end": ({"token": "abc\n"}, "Bearer abc"),
    "a token file": ({"tokenFile": "token"}, "Bearer from-file"),
    "name and password": ({"username": "ann", "password": "s3"}, basic("ann", "s3")),
    "a token is before name and password": ({"token": "abc", "username": "ann", "password": "s3"}, "Bearer abc"),
    "nobody": ({}, None),
}  # fmt: skip


@pytest.mark.parametrize(("user", "expected"), LOGINS.values(), ids=LOGINS)
def test_what_the_server_hears_of_a_login(user: dict[str, Any], expected: str | None, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file\n", encoding="utf-8")  # relative to the kubeconfig
    with serve(lambda x: x.reply(200, {})) as server:
        connect(tmp_path, server.url, user).send(Request("get", PATH))
    assert server.asked[0].headers.get("authorization") == expected


@pytest.mark.parametrize("token", [f"{TOKEN}\r\nX-Evil: 1", f"{TOKEN}é", f"{TOKEN}\x00"])
def test_a_token_that_cannot_be_sent_is_not_sent_and_not_told(token: str, tmp_path: Path) -> None:
    with serve(lambda x: x.reply(200, {})) as server:
        connection = connect(tmp_path, server.url, {"token": token})
        with pytest.raises(CredentialsError) as caught:
            connection.send(Request("get", PATH))
    assert "printable ASCII" in caught.value.why and TOKEN not in words(caught.value) and not server.asked


def test_a_client_certificate_is_shown_and_one_that_is_missing_is_told(tmp_path: Path) -> None:
    mine, client = certificate(tmp_path, "mine", "IP:127.0.0.1"), certificate(tmp_path, "ann")
    cluster = {"certificate-authority-data": base64.b64encode(mine[0].read_bytes()).decode()}
    data = {
        "client-certificate-data": base64.b64encode(client[0].read_bytes()).decode(),
        "client-key-data": base64.b64encode(client[1].read_bytes()).decode(),
    }
    with serve(lambda x: x.reply(200, {}), tls(mine, client[0])) as server:
        for user in ({"client-certificate": "ann.crt", "client-key": "ann.key"}, data):
            assert connect(tmp_path, server.url, user, cluster=cluster).send(Request("get", PATH)) == {}
        with pytest.raises(DoccError) as caught:
            connect(tmp_path, server.url, {}, cluster=cluster).send(Request("get", PATH))
    assert "does not answer" in caught.value.what or "TLS failed" in caught.value.what


def test_a_password_in_the_servers_address_is_not_shown(tmp_path: Path) -> None:
    with serve(lambda x: x.reply(500)) as server:
        connection = connect(tmp_path, server.url.replace("//", f"//ann:{TOKEN}@"))
        assert connection.server == server.url
        with pytest.raises(DoccError) as caught:
            connection.send(Request("get", PATH))
    assert TOKEN not in words(caught.value)
    with pytest.raises(DoccError) as caught:
        connection.send(Request("get", PATH))
    assert TOKEN not in words(caught.value) and server.url in caught.value.what


# --- exec plugins: real programs
def plugin(folder: Path, body: str, **more: Any) -> dict[str, Any]:
    """A user whose plugin counts its runs in a file `runs`; `body` sees the count as n."""
    path = folder / "plugin"
    code = f"""#!{sys.executable}
import json, sys
with open({str(folder / "runs")!r}, "a+") as runs:
    runs.write("x")
    runs.seek(0)
    n = len(runs.read())
def give(**status):
    print(json.dumps({{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}}))
{body}
"""
    path.write_text(code, encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(path), **more}}


def runs(folder: Path) -> int:
    return len((folder / "runs").read_text(encoding="utf-8"))


def heard(*accepted: str) -> Any:
    """An API server that takes some tokens only."""

    def answer(exchange: Exchange) -> None:
        good = exchange.asked.headers.get("authorization") in {f"Bearer {token}" for token in accepted}
        exchange.reply(200 if good else 401, {"ok": "yes"} if good else {"message": "Unauthorized"})

    return answer


def test_after_a_401_the_plugin_runs_again_and_the_request_is_repeated_once(tmp_path: Path) -> None:
    user = plugin(tmp_path, f'give(token=f"{TOKEN}-{{n}}")')
    with serve(heard(f"{TOKEN}-1", f"{TOKEN}-2")) as server:
        connection = connect(tmp_path, server.url, user)
        assert connection.send(Request("create", PATH, body={"a": 1})) == {"ok": "yes"} and runs(tmp_path) == 1
        server.answer = heard(f"{TOKEN}-2")  # the first one has run out
        assert connection.send(Request("create", PATH, body={"a": 1})) == {"ok": "yes"} and runs(tmp_path) == 2
        assert [asked.body for asked in server.asked] == [b'{"a": 1}'] * 3
        with connection.stream(Request("watch", PATH)) as response:
            assert response.status == 200 and runs(tmp_path) == 2, "the new token is kept"
        server.answer = heard("another")
        with pytest.raises(LoginLost) as caught:  # it was taken before, and may be again
            connection.send(Request("get", PATH))
        assert runs(tmp_path) == 3 and len(server.asked) == 6, "tried anew once, no oftener"
        server.answer = heard(f"{TOKEN}-4")
        with connection.stream(Request("watch", PATH)) as response:
            assert response.status == 200, "a watch too"
    assert caught.value.what == "the cluster rejected your login (401)" and caught.value.why == "Unauthorized"
    assert TOKEN not in words(caught.value) + repr(connection) + repr(connection._login)
    assert connection.requests == {"create": 3, "watch": 3, "get": 2}


def test_many_threads_that_were_refused_run_the_plugin_once(tmp_path: Path) -> None:
    with serve(heard("t1")) as server:
        connection = connect(tmp_path, server.url, plugin(tmp_path, 'give(token=f"t{n}")'))
        connection.send(Request("get", PATH))
        together = threading.Barrier(6)

        def old_token_is_refused(exchange: Exchange) -> None:
            if exchange.asked.headers["authorization"] == "Bearer t1":
                together.wait(30)  # all six have been sent with the old one
            heard("t2")(exchange)

        server.answer = old_token_is_refused
        threads = [threading.Thread(target=connection.send, args=(Request("get", PATH),)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert runs(tmp_path) == 2 and connection.requests["get"] == 1 + 2 * 6


def test_a_token_that_is_known_to_have_expired_is_renewed_before_it_is_refused(tmp_path: Path) -> None:
    user = plugin(
        tmp_path,
        'give(token=f"t{n}", expirationTimestamp="2020-01-01T00:00:00Z" if n == 1 else "2999-01-01T00:00:00Z")',
    )
    with serve(heard("t2")) as server:
        assert connect(tmp_path, server.url, user).send(Request("get", PATH)) == {"ok": "yes"}
    assert len(server.asked) == 1


def test_a_plugin_may_give_a_certificate(tmp_path: Path) -> None:
    mine, client = certificate(tmp_path, "mine", "IP:127.0.0.1"), certificate(tmp_path, "ann")
    body = f"give(clientCertificateData=open({str(client[0])!r}).read(), clientKeyData=open({str(client[1])!r}).read())"
    with serve(lambda x: x.reply(200, {}), tls(mine, client[0])) as server:
        cluster = {"certificate-authority": str(mine[0])}
        assert connect(tmp_path, server.url, plugin(tmp_path, body), cluster=cluster).send(Request("get", PATH)) == {}


FAILING = {
    "ends with an error": ('sys.exit("your session has expired; run: cloud login")', "run: cloud login"),
    "says nothing": ("", "decode"),
    "says no JSON": (f'print("{TOKEN}")', "decode"),
    "gives no credentials": ("give()", "missing token"),
    "gives a certificate without its key": ('give(clientCertificateData="x")', "clientKeyData"),
    "speaks another version": ('print(\'{"apiVersion": "v9", "kind": "ExecCredential", "status": {}}\')', "v9"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "why"), FAILING.values(), ids=FAILING)
def test_a_plugin_that_fails_is_told_in_its_own_words(
    body: str, why: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, entries("http://127.0.0.1:1", plugin(tmp_path, body)))
    error = refused(kubeconfig=path)
    assert type(error) is CredentialsError and error.what == "the kubeconfig's login command failed"
    assert why in error.why and error.where == f'{path}, context "here"' and "by hand" in error.fix
    assert capfd.readouterr() == ("", ""), "nothing is printed past the one place where errors are"


def test_a_plugin_that_is_not_installed(tmp_path: Path) -> None:
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "docc-no-such-plugin"}}
    error = refused(kubeconfig=write(tmp_path, entries("http://a", user)))
    assert error.what == "the kubeconfig's login command failed" and "docc-no-such-plugin" in error.why


def test_a_plugin_that_fails_later_is_told_too(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    user = plugin(tmp_path, 'give(token="t1") if n == 1 else sys.exit("the vault is sealed")')
    with serve(heard("t2")) as server:
        connection = connect(tmp_path, server.url, user)
        with pytest.raises(CredentialsError) as caught:
            connection.send(Request("get", PATH))
    assert "the vault is sealed" in caught.value.why and capfd.readouterr() == ("", "")


def test_a_login_that_cannot_be_renewed_is_lost_and_not_asked_for_all_the_time(tmp_path: Path) -> None:
    user = plugin(tmp_path, 'give(token="t1") if n == 1 else sys.exit("the vault is sealed")')
    with serve(heard("t1")) as server:
        connection = connect(tmp_path, server.url, user)
        connection.send(Request("get", PATH))
        server.answer = heard("t2")
        for _ in range(20):
            with pytest.raises(LoginLost) as caught:
                connection.send(Request("get", PATH))
            assert "the vault is sealed" in caught.value.why and caught.value.exit_code is ExitCode.CREDENTIALS
    assert runs(tmp_path) < 10, "a login command may be slow, or count how often it is run"


def test_no_token_is_ever_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with serve(heard(f"{TOKEN}-2")) as server:
        connect(tmp_path, server.url, plugin(tmp_path, f'give(token=f"{TOKEN}-{{n}}")')).send(Request("get", PATH))
    assert TOKEN not in caplog.text and caplog.records, "the transport does log at this level"


# --- in a pod
@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    (folder / "token").write_text(f"{TOKEN}\n", encoding="utf-8")
    (folder / "namespace").write_text("shop\n", encoding="utf-8")
    mine = certificate(tmp_path, "mine", "IP:127.0.0.1")
    (folder / "ca.crt").write_bytes(mine[0].read_bytes())
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    return folder


def test_a_pod_logs_in_with_its_service_account(pod: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(lambda x: x.reply(200, {}), tls((tmp_path / "mine.crt", tmp_path / "mine.key"))) as server:
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(server.port))
        connection = Connection(service_account=pod)
        assert (connection.context_name, connection.context_namespace) == ("in-cluster", "shop")
        connection.send(Request("get", PATH))
        (pod / "token").write_text("renewed", encoding="utf-8")  # as the kubelet does
        server.answer = lambda x: x.reply(200 if x.asked.headers["authorization"].endswith(" renewed") else 401, {})
        connection.send(Request("get", PATH))
    assert server.asked[0].headers["authorization"].lower() == f"bearer {TOKEN}"
    assert len(server.asked) == 3


@pytest.mark.parametrize("missing", ["token", "ca.crt"])
def test_a_pod_without_a_service_account_is_told_so(missing: str, pod: Path) -> None:
    (pod / missing).unlink()
    error = refused(service_account=pod)
    assert type(error) is CredentialsError and error.what == "the pod's service account cannot be used"
    assert error.where == str(pod) and error.why and "automountServiceAccountToken" in error.fix


def test_a_pod_knows_no_contexts_and_may_have_no_namespace(pod: Path) -> None:
    error = refused(service_account=pod, context="production")
    assert type(error) is UsageError and '"production"' in error.what and "--context" in error.fix
    (pod / "namespace").unlink()
    assert Connection(service_account=pod).context_namespace is None


@pytest.mark.parametrize(
    ("user", "acting", "heard"),
    [
        ({}, Acting(), {}),
        ({"as": "ann"}, Acting(), {"impersonate-user": "ann"}),
        (
            {"as": "ann", "as-uid": "7", "as-groups": ["a", "b"], "as-user-extra": {"acme.com/x": ["1"]}}, Acting(),
            {
                "impersonate-user": "ann", "impersonate-uid": "7", "impersonate-group": "a, b",
                "impersonate-extra-acme.com%2fx": "1",
            },
        ),
        ({"as": "ann", "as-groups": ["a"]}, Acting("bob", ("c",)), {"impersonate-user": "bob", "impersonate-group": "c"}),
    ],
)  # fmt: skip
def test_as_whom_the_user_wants_to_be_seen(
    user: dict[str, Any], acting: Acting, heard: dict[str, str], tmp_path: Path
) -> None:
    """The library reads none of it, and would go on as somebody who may do more."""
    with serve(lambda x: x.reply(200, {})) as server:
        path = write(tmp_path, entries(server.url, {"token": TOKEN, **user}))
        Connection(kubeconfig=path, acting=acting).send(Request("get", "/x"))
    headers = server.asked[0].headers
    assert {name: value for name, value in headers.items() if name.startswith("impersonate")} == heard


@pytest.mark.parametrize(
    ("user", "why"),
    [
        ({"as-groups": ["a"]}, "needs a user"), ({"as": "a\nb"}, "printable ASCII"),
        ({"as": "a", "as-groups": "b"}, "is a list"),
        ({"as": "a", "as-user-extra": {"k": "v"}}, "maps names to lists"), ({"as": "a", "as-user-extra": []}, None),
    ],
)  # fmt: skip
def test_whom_to_act_as_must_be_said_in_full(user: dict[str, Any], why: str | None, tmp_path: Path) -> None:
    path = write(tmp_path, entries("http://127.0.0.1:1", {"token": TOKEN, **user}))
    if why is None:
        assert Connection(kubeconfig=path).server == "http://127.0.0.1:1"
        return
    with pytest.raises(CredentialsError) as raised:
        Connection(kubeconfig=path)
    assert why in raised.value.why


def test_a_request_takes_as_long_as_the_user_allows(tmp_path: Path) -> None:
    with serve(lambda x: x.hang()) as server:
        path = write(tmp_path, entries(server.url))
        began = time.monotonic()
        with pytest.raises(Unreachable):
            Connection(kubeconfig=path, read_seconds=0.3).send(Request("get", "/x"))
        assert time.monotonic() - began < READ_SECONDS
