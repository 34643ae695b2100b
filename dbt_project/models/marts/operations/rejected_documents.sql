{#
What sources got wrong, as it stands now. Several staging models read the same document and may find the same. It reads
nothing that a sync writes, so an alert may be made of it.
#}
select
    source || ':' || connection || ':' || resource || ':' || document_key || ':' || field || ':' || reason
        as rejected_document_key,
    source,
    connection,
    resource,
    document_key as key,
    field,
    max(value) as value,
    reason,
    min(since) as since
from {{ source('staging', 'rejected_documents') }}
group by source, connection, resource, document_key, field, reason
