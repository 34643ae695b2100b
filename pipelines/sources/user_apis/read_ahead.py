"""Which pages come next, where a list counts its pages or rows and says how many there are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote_plus

from dlt.common import jsonpath
from dlt.sources.helpers.rest_client.client import PageData
from dlt.sources.helpers.rest_client.paginators import RangePaginator


def next_urls(page: PageData[Any], most: int) -> Sequence[str]:
    """The URLs that follow a page, at most so many; none where they cannot be known for sure."""
    counting, asked = page.paginator, page.response.request
    if (
        not isinstance(counting, RangePaginator)
        or not counting.has_next_page
        or not counting.param_name
        or not counting.total_path
        or asked.method != "GET"
    ):
        return ()
    # The paginator has read the total before and found a whole number.
    end = int(jsonpath.find_values(counting.total_path, page.response.json())[0]) + counting.base_index
    if counting.maximum_value is not None:
        end = min(end, counting.maximum_value)
    first, step = counting.current_value, counting.value_step
    name = quote_plus(counting.param_name)
    # Only a page that the URL shows exactly once is one that can be counted up.
    before, *shown = re.split(rf"((?<=[?&]){re.escape(name)}=[^&#]*)", asked.url or "")
    if len(shown) != 2 or shown[0] != f"{name}={first - step}":
        return ()
    values = range(first, end, step)[: max(most, 0)]
    return [f"{before}{name}={value}{shown[1]}" for value in values]
