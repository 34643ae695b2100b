"""One page of a source, for people: what it looks like, and what the mapping makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.sources.user_apis.definition import DataSource, ResourceSpec
from pipelines.sources.user_apis.entities import ENTITIES
from pipelines.sources.user_apis.fetch import Surroundings
from pipelines.sources.user_apis.propose import propose
from pipelines.sources.user_apis.records import document_key, value_at

SHOWN = 200


@dataclass(frozen=True)
class Sample:
    """The records of a first page, and the definition of the paginator that read it."""

    records: Sequence[Mapping[str, Any]]
    paginator: Mapping[str, Any]

    def mapping_report(self, resource: ResourceSpec) -> Iterator[str]:
        """A line for each field: where it comes from, an example, and how many records lack it."""
        key_of = document_key(resource.key_paths)
        keyless = sum(key_of(record) is None for record in self.records)
        yield f"key {', '.join(resource.key_paths)}: {keyless or 'no'} records without one"
        known = ENTITIES[resource.entity] if resource.entity else {}
        for name, mapping in resource.fields.items():
            if mapping.constant is not None:
                yield f"{name} = {mapping.constant!r} always"
                continue
            values = [value_at(record, mapping.path or "") for record in self.records]
            missing = sum(value in (None, "") for value in values)
            unmapped = {
                str(value)
                for value in values
                if mapping.map
                and mapping.default is None
                and value is not None
                and str(value) not in mapping.map
            }
            example = next((value for value in values if value not in (None, "")), None)
            yield (
                f"{name} ← {mapping.path}: {example!r}"
                f"{f', missing in {missing} of {len(values)}' if missing else ''}"
                f"{f', not in `map`: {sorted(unmapped)}' if unmapped else ''}"
            )
        if left := [name for name in known if name not in resource.fields]:
            yield f"not mapped: {', '.join(left)}"


def read_sample(source: DataSource, resource: ResourceSpec, around: Surroundings) -> Sample:
    """The first page. Raises from the `RemoteError` tree, `ForbiddenAddress`, `Misconfigured`."""
    with around.open(source) as api:
        page, paginator = api.first_page(resource)
    return Sample(page[:SHOWN], paginator)


def proposed(
    draft: Mapping[str, Any], sample: Sample, since_param: str | None
) -> tuple[dict[str, Any], list[str]]:
    """The draft's definition with what the sample shows, and what a person must still say."""
    found = propose(sample.records)
    resource = {**draft["resources"][0], "paginator": dict(sample.paginator), "key": found.key or "id"}
    questions = list(found.open_questions)
    if since_param and found.cursor:
        resource["incremental"] = {"cursor": found.cursor, "param": since_param}
    elif since_param:
        questions.append("nothing in the sample looks like a time of change; no cursor was proposed")
    if found.entity:
        known = ENTITIES[found.entity].items()
        if missing := [name for name, field in known if field.required and name not in found.fields]:
            questions.append(
                f"it looks like a list of {found.entity}s; map {', '.join(missing)} to make it one"
            )
        else:
            resource |= {"entity": found.entity, "fields": dict(found.fields)}
    return {**draft, "resources": [resource]}, questions
