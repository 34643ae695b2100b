"""Which variables are Karvon's own, and which the operator lets the sources of users name (`connections.yml`)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from karvon.connections import GRANTS, USUAL_VARIABLES, declared_connections
from karvon.settings import Settings, SettingsError

_NEVER_GRANTED = (
    "KARVON_",
    "DAGSTER_",
    "DBT_",
    "PG",
    "POSTGRES_",
    "HOME",
    "PATH",
    "LD_",
    "PYTHON",
    "XDG_",
    "SSH_",
)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def own_variables(settings: Settings) -> frozenset[str]:
    """Names that settings and connections of vendors are read from."""
    fields = (one.validation_alias for one in type(settings).model_fields.values())
    usual = (name for names in USUAL_VARIABLES.values() for name in names.values())
    declared = (
        str(variable)
        for vendor, connections in declared_connections(settings).items()
        if vendor != GRANTS and isinstance(connections, Mapping)
        for names in connections.values()
        if isinstance(names, Mapping)
        for variable in names.values()
    )
    return frozenset([*(name for name in fields if isinstance(name, str)), *usual, *declared])


def granted_variables(settings: Settings) -> dict[str, frozenset[str]]:
    """User → names of variables that the operator lets the user's sources name. Raises `SettingsError`."""
    path, ours = settings.connections_file, own_variables(settings)
    declared = declared_connections(settings).get(GRANTS) or {}
    if not isinstance(declared, Mapping):
        raise SettingsError(
            f"{path.name}: `{GRANTS}` names users, such as `{GRANTS}: {{dora: [WOO_SECRET]}}`."
        )
    granted: dict[str, frozenset[str]] = {}
    for user, names in declared.items():
        where = f"{settings.connections_file.name}: {GRANTS}.{user}"
        if not isinstance(names, list) or not all(
            isinstance(name, str) and _VARIABLE.fullmatch(name) for name in names
        ):
            raise SettingsError(f"{where} must be a list of names of variables, such as [WOO_SECRET].")
        if taken := sorted(ours & set(names) | {name for name in names if name.startswith(_NEVER_GRANTED)}):
            raise SettingsError(
                f"{where}: {', '.join(taken)} cannot be granted: Karvon or the machine reads it; name another."
            )
        granted[str(user)] = frozenset(names)
    return granted
