"""dlt's REST client and paginators, kept to what was declared: a list is a list, and a place can be gone on from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dlt.common import jsonpath
from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.client import PageData
from dlt.sources.helpers.rest_client.exceptions import IgnoreResponseException
from dlt.sources.helpers.rest_client.paginators import (
    BaseReferencePaginator,
    HeaderCursorPaginator,
    JSONResponseCursorPaginator,
    RangePaginator,
)
from dlt.sources.rest_api.config_setup import create_paginator

from pipelines.sources.user_apis.answers import records_at, refuse_error
from pipelines.sources.user_apis.definition import ResourceSpec

_NOTHING_MORE = 204


class ListClient(RESTClient):  # type: ignore[misc]  # dlt's types are not followed
    """Takes nothing but a list for a list. Raises `NoList`."""

    _declared: str | None = None
    _may_lack = False

    def pages(
        self, resource: ResourceSpec, params: Mapping[str, Any], body: Any, place: Mapping[str, Any] | None
    ) -> Iterator[PageData[Any]]:
        """The pages of a list, from a place on (`place_after`)."""
        self._declared, self._may_lack = resource.data_path, resource.missing_list == "empty"
        path, params, paginator = resource.path, dict(params), None
        said = resource.paginator.as_dlt() if resource.paginator else None
        if said and place and "value" in place:
            said |= {"page" if said["type"] == "page_number" else "offset": place["value"]}
        if said:
            paginator = create_paginator(said)
        if place and "next" in place:
            if isinstance(paginator, HeaderCursorPaginator):
                params[paginator.cursor_param] = place["next"]
            elif isinstance(paginator, JSONResponseCursorPaginator):
                if paginator.cursor_body_path:
                    body = body or {}
                    jsonpath.set_value_at_path(body, paginator.cursor_body_path, place["next"])
                else:
                    params[paginator.cursor_param] = place["next"]
            else:
                path, params = place["next"], {}
        yield from self.paginate(
            path,
            method=resource.method,
            params=params,
            json=body,
            paginator=paginator,
            # Read here once; as text it would be with every page.
            data_selector=resource.data_path and jsonpath.compile_path(resource.data_path),
            hooks={"response": [_end_of_list]},
        )

    def detect_data_selector(self, response: Any) -> str:
        refuse_error(response.json())
        return str(super().detect_data_selector(response))

    def extract_response(self, response: Any, data_selector: Any) -> list[Any]:
        path = self._declared
        if path is None and isinstance(data_selector, str) and data_selector != "$":
            path = data_selector
        return records_at(response.json(), path, jsonpath.find_values, self._may_lack)


def _end_of_list(response: Any, *_: Any, **__: Any) -> None:
    if response.status_code == _NOTHING_MORE:
        raise IgnoreResponseException


def place_after(page: PageData[Any]) -> dict[str, Any] | None:
    """The place of the page behind this one; None at the end, and where it cannot be said."""
    paginator = page.paginator
    if not paginator.has_next_page:
        return None
    if isinstance(paginator, RangePaginator):
        return {"value": paginator.current_value}
    if isinstance(paginator, BaseReferencePaginator):
        return {"next": paginator._next_reference}
    return None


def place_of(page: PageData[Any]) -> dict[str, Any] | None:
    """The place of this page, of lists whose pages are counted: it may have shifted by the next run."""
    paginator = page.paginator
    return (
        {"value": paginator.current_value - paginator.value_step}
        if isinstance(paginator, RangePaginator)
        else None
    )
