"""Chance without state: the same keys always give the same numbers, so a world needs not be stored to be the same."""

import struct
from hashlib import blake2b

_SIXTEEN = struct.Struct("<16I")


def throws(*keys: object) -> tuple[int, ...]:
    """Sixteen whole numbers from 0 to 2**32 - 1, about a microsecond."""
    return _SIXTEEN.unpack(blake2b("/".join(map(str, keys)).encode()).digest())
