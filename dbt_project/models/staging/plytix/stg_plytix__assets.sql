{{ config(unique_key='asset_key') }}

{% set columns = [
    {'name': 'filename', 'path': 'filename'},
    {'name': 'extension', 'path': 'extension'},
    {'name': 'content_type', 'path': 'content_type'},
    {'name': 'file_type', 'path': 'file_type'},
    {'name': 'file_size_bytes', 'path': 'file_size', 'type': 'integer'},
    {'name': 'url', 'path': 'url'},
    {'name': 'is_public', 'path': 'public', 'type': 'boolean'},
    {'name': 'status', 'path': 'status'},
    {'name': 'created_at', 'path': 'created', 'type': 'timestamp'},
    {'name': 'modified_at', 'path': 'modified', 'type': 'timestamp'},
    {'name': 'file_modified_at', 'path': 'file_modified', 'type': 'timestamp'},
] %}

with documents as ({{ latest_documents('raw_plytix', 'assets') }}),

unpacked as ({{ unpack('documents', columns) }})

select
    connection || ':' || document_key as asset_key,
    connection,
    document_key as asset_id,
    filename,
    lower(extension) as extension,
    lower(content_type) as content_type,
    upper(file_type) as file_type,
    file_size_bytes,
    {{ encode_url('url') }} as url,
    is_public,
    status,
    created_at,
    modified_at,
    file_modified_at,
    is_deleted,
    landed_at,
    cast_failures,
    rejects
from unpacked
