"""What must never be shown or kept: the parts of a text that are secrets by their form, and those that this process was told
of. Whose text it is does not matter.

Logs, servers and proxies quote what they were given: URLs with a password, Authorization headers, tokens, settings of a name
that says so. A secret of no such form is recognised where docc has met it: in a manifest, or in a Deployment that it made.
docc reads no Secret of the cluster.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = "***"
_LENGTH_MIN = 4
_PASSWORD = r"\b\w*(?:password|passwd|passphrase)|\b(?:\w+_)?pass|\b\w+_pwd"
_KEY = r"(?:api|private|secret|access|encryption|signing|master|auth|account|storage)_?key(?:_?base)?"
_OTHER = rf"\b\w*(?:secret|token|{_KEY}|credentials?)"
_NAME = rf"(?:{_PASSWORD}|{_OTHER})"
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        r"(?P<before>://)[^\s/?#]*(?=@)",
        r"(?P<before>\bauthorization[\"']?\s*[:=]\s*[\"']?(?:(?:basic|bearer|digest|negotiate)\s+)?)[^\s\"',]+",
        r"(?P<before>\bbearer\s+)(?=[\w.~+/-]*\d)[\w.~+/-]{8,}=*",
        r"(?P<before>)\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?",  # a JSON Web Token, such as a service account's
        rf"(?P<before>{_NAME}=[\"']?)[^\s\"',;&)}}\]]+",
        rf"(?P<before>{_NAME}[\"']\s*:\s*[\[{{\s]*\\?[\"'])[^\"'\\]+",
        rf"(?P<before>{_NAME}[\"']\s*:\s*)\d{{4,}}",
        rf"(?P<before>(?:{_PASSWORD}):\s+[\"']?)[^\s\"',;)}}\]]+",
        rf"(?P<before>(?:{_OTHER}):\s+[\"']?)(?=\S*\d)[\w.~+/=-]{{6,}}",  # not "unexpected token: )"
        r"(?P<before>;\s*pwd\s*=\s*)[^\s;\"']+",  # of a connection string
    )
)


_known: set[str] = set()


def hide(secrets: Iterable[str]) -> None:
    """From now on none of them is shown or kept by this process. Those too short to be told from ordinary words are."""
    _known.update(secret for secret in secrets if len(secret) >= _LENGTH_MIN and secret.strip("*"))


def masked(text: str) -> str:
    """The text with each secret replaced by MASK. Masked text is left as it is. To be called before a text is cut or broken
    into rows: half a secret is not recognised as one."""
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, MASK)
    for form in _FORMS:
        text = form.sub(rf"\g<before>{MASK}", text)
    return text


def is_secret(name: str) -> bool:
    """Whether a setting of this name holds a secret, such as DB_PASSWORD or STRIPE_API_KEY."""
    return re.search(rf"{_NAME}$", name, re.IGNORECASE) is not None
