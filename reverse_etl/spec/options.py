"""What a sync's `options:` say, as the frozen spec of its destination."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from pydantic import ValidationError

from reverse_etl.spec.syncs import Spec, Sync

Options = TypeVar("Options", bound=Spec)


def problems_of(kind: type[Options], sync: Sync) -> Iterator[str]:
    """What is wrong with the options, key by key."""
    try:
        kind.model_validate(dict(sync.options))
    except ValidationError as error:
        for one in error.errors():
            place = ".".join(("options", *map(str, one["loc"])))
            message = str(one["msg"]).removeprefix("Value error, ")
            if one["type"] == "extra_forbidden":
                message = "unknown key; remove it or check its spelling"
            yield f"{place}: {message}"
