"""Which variables a user's source may name: those with the user's own prefix, and what the operator granted.

A definition is written by a user, and its variables are read from the environment of the operator: without this rule
a file could send any secret of the house, or of another user, to an address of its own choice.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

FOR_EVERYBODY = frozenset({"KARVON_SANDBOX_URL"})
"""The address of the stand-ins: no secret, and set by the sandbox alone."""

_OF_THE_HOUSE = re.compile(
    r"(KARVON|PLYTIX|WEBFLOW|UZUM|UZEX|DBT|DAGSTER|DLT|DESTINATION|SOURCES|RUNTIME|NORMALIZE|LOAD|CREDENTIALS|"
    r"PG[A-Z]*|POSTGRES|POSTGRESQL|DB|DATABASE|MYSQL|MOTHERDUCK|DUCKDB|REDIS|CELERY|RABBITMQ|AMQP|"
    r"AWS|AZURE|ARM|GOOGLE|GCP|GCLOUD|CLOUDSDK|KUBERNETES|K8S|DOCKER|COMPOSE|HELM|VAULT|"
    r"HOME|PATH|PWD|USER|SHELL|TERM|LANG|LC|LD|TMP|TEMP|TMPDIR|XDG|SSH|SSL|GPG|SUDO|SYSTEMD|PYTHON|PIP|UV|VIRTUAL|"
    r"HTTP|HTTPS|FTP|ALL|NO|PROXY|REQUESTS|CURL|GIT|GITHUB|GITLAB|CI|ROOT|ADMIN|SECRET|API)(_|$)"
)
"""Names of the house, its vendors, its databases and its machine: no user gets them by a prefix, whatever the id."""


def own_prefix(user_id: str) -> str:
    """What the names of a user begin with: `dora` → `DORA_`."""
    return f"{user_id.upper()}_"


@dataclass(frozen=True)
class Grants:
    """What the operator decided: further names by user, and names that Karvon itself reads."""

    granted: Mapping[str, Collection[str]] = field(default_factory=dict)
    ours: frozenset[str] = frozenset()

    def refusal(self, user_id: str, name: str, users: Collection[str] = ()) -> str | None:
        """Why a source of this user may not name a variable, and the way out; None when it may.

        `users` are all who are known: of `dora` and `dora_2` the name DORA_2_TOKEN is the latter's.
        """
        if name in FOR_EVERYBODY:
            return None
        # Names of ours are no user's even if a grant says so (reading the grants refuses it too).
        if name not in self.ours and name in self.granted.get(user_id, ()):
            return None
        prefix = own_prefix(user_id)
        if name in self.ours or _OF_THE_HOUSE.match(name):
            why = "it belongs to Karvon, to a vendor's connection or to the machine"
        elif not name.startswith(prefix) or name == prefix:
            why = f"only names that begin with {prefix} are this user's own"
        elif other := self._nearer(user_id, name, users):
            why = f"it is one of the user {other}"
        else:
            return None
        return (
            f"{user_id} may not use ${{{name}}}: {why}. Name one that begins with {prefix}, or one that the operator "
            f"grants in connections.yml (`user_apis: {{{user_id}: [NAME]}}`; never what Karvon or the machine reads)"
        )

    def _nearer(self, user_id: str, name: str, users: Collection[str]) -> str | None:
        """The known user whose longer prefix the name has."""
        longer = [
            one
            for one in {*users, *self.granted}
            if len(one) > len(user_id) and name.startswith(own_prefix(one))
        ]
        return max(longer, key=len, default=None)
