"""What must never be shown or kept: the parts of a text that are secrets by their form. Pure; whose text it is does not matter.

Logs, servers and proxies quote what they were given: URLs with a password, Authorization headers, tokens, settings of a name
that says so. A secret of no such form is not recognised; docc reads no Secret of the cluster, so it knows none.
"""

from __future__ import annotations

import re

MASK = "***"
_NAME = r"\b\w*(?:password|passwd|passphrase|secret|token|api_?key|private_?key|credentials?)"
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
    )
)


def masked(text: str) -> str:
    """The text with each secret replaced by MASK. Masked text is left as it is."""
    for form in _FORMS:
        text = form.sub(rf"\g<before>{MASK}", text)
    return text


def is_secret(name: str) -> bool:
    """Whether a setting of this name holds a secret, such as DB_PASSWORD or STRIPE_API_KEY."""
    return re.search(rf"{_NAME}$", name, re.IGNORECASE) is not None
