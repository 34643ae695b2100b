"""The asset library: a file is announced, then posted as a form to a bucket, then hosted (Webflow dossier §3).

The bucket is another service: it knows no token (and refuses one), wants the fields of `uploadDetails` unchanged with
the file last, and checks the announced MD5. An asset whose file never came cannot be fetched by anybody.
"""

from __future__ import annotations

import base64
import hashlib
import mimetypes
import re
import secrets
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.state import State
from sandbox.webflow.asset_store import assets_of, find_asset
from sandbox.webflow.calls import Call, Outcome
from sandbox.webflow.errors import ApiError, not_found
from sandbox.webflow.site import Site

Document = dict[str, Any]
_MD5 = re.compile(r"[0-9a-f]{32}")
_HIDDEN = ("content", "uploadDetails", "uploadUrl", "fileHash")


def create_asset(call: Call) -> Outcome:
    """An announced file with what the upload needs; of a file that is there already, the asset that it is."""
    name, digest = call.body.get("fileName"), call.body.get("fileHash")
    details = []
    if not isinstance(name, str) or not name or len(name) >= 100 or "." not in name:
        details.append(
            {"param": "fileName", "description": "Expected a name with extension, under 100 characters"}
        )
    if not isinstance(digest, str) or not _MD5.fullmatch(digest):
        details.append({"param": "fileHash", "description": "Expected value to be an MD5 hash"})
    if details:
        raise ApiError(400, "validation_error", "Validation Error", details)
    site, assets = call.site, assets_of(call.site.state, call.site.account)
    if site.switch("asset_hash") == "same_asset":
        known = next((one for one in assets.values() if one["fileHash"] == digest and one["content"]), None)
        if known is not None:
            return 200, _announced(known)
    asset = _new_asset(site, str(name), str(digest), call.body.get("parentFolder"))
    assets.put(asset["id"], asset)
    return 200, _announced(asset)


def list_assets(call: Call) -> Outcome:
    offset, limit = call.page
    found = assets_of(call.site.state, call.site.account).values()
    page = [_shown(one) for one in found[offset : offset + limit]]
    return 200, {"assets": page, "pagination": {"limit": limit, "offset": offset, "total": len(found)}}


def get_asset(call: Call) -> Outcome:
    asset = assets_of(call.site.state, call.site.account).get(call.path["asset_id"])
    if asset is None:
        raise not_found("asset")
    return 200, _shown(asset)


async def upload(state: State, request: Request) -> Response:
    """The bucket: 201 with XML, or an error as S3 words it."""
    if "authorization" in request.headers:
        return _refused(400, "InvalidArgument", "Only one auth mechanism allowed")
    fields = _form(request.headers.get("content-type", ""), await request.body())
    given = {name: value.decode("utf-8", "replace") for name, value in fields if name != "file"}
    if not fields or fields[-1][0] != "file":
        return _refused(
            400, "InvalidArgument", "POST requires exactly one file upload per request, as the last field."
        )
    asset = _by_key(state, given.get("key", ""))
    if asset is None or any(given.get(name) != value for name, value in asset["uploadDetails"].items()):
        return _refused(403, "AccessDenied", "Invalid according to Policy: Policy Condition failed")
    content = fields[-1][1]
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != asset["fileHash"]:
        return _refused(400, "BadDigest", "The Content-MD5 you specified did not match what we received.")
    asset = {**asset, "content": base64.b64encode(content).decode(), "size": len(content)}
    assets_of(state, asset["account"]).put(asset["id"], asset)
    body = f"<PostResponse><Location>{asset['assetUrl']}</Location><Key>{given['key']}</Key></PostResponse>"
    return Response(body, 201, media_type="application/xml")


def hosted(state: State, asset_id: str) -> Response:
    """The file itself, for everybody."""
    asset = find_asset(state, asset_id)
    if asset is None or not asset["content"]:
        return _refused(403, "AccessDenied", "Access Denied")
    return Response(base64.b64decode(asset["content"]), media_type=asset["contentType"])


def _new_asset(site: Site, name: str, digest: str, folder: object) -> Document:
    asset_id, public = site.new_id(), site.state.public_url
    content_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    hosted_url = f"{public}/webflow/files/assets/{asset_id}/{asset_id}_{name}"
    return {
        "id": asset_id, "account": site.account, "fileHash": digest, "contentType": content_type, "content": None,
        "size": 0, "parentFolder": folder, "originalFileName": name, "displayName": name,
        "uploadUrl": f"{public}/webflow/files/uploads/bucket", "assetUrl": hosted_url, "hostedUrl": hosted_url,
        "createdOn": site.now(), "lastUpdated": site.now(),
        "uploadDetails": {
            "acl": "public-read", "bucket": "bucket", "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{asset_id}/us-east-1/s3/aws4_request", "X-Amz-Date": "20261120T000000Z",
            "key": f"{site.id}/{asset_id}_{name}", "Policy": secrets.token_urlsafe(40),
            "X-Amz-Signature": secrets.token_hex(32), "success_action_status": "201", "content-type": content_type,
            "Cache-Control": "max-age=31536000, must-revalidate",
        },
    }  # fmt: skip


def _announced(asset: Document) -> Document:
    return {**_shown(asset), "uploadUrl": asset["uploadUrl"], "uploadDetails": asset["uploadDetails"]}


def _shown(asset: Document) -> Document:
    return {name: value for name, value in asset.items() if name not in (*_HIDDEN, "account")}


def _by_key(state: State, key: str) -> Document | None:
    asset_id = key.partition("/")[2].partition("_")[0]
    asset = find_asset(state, asset_id)
    return asset if asset and asset["uploadDetails"]["key"] == key else None


def _form(content_type: str, body: bytes) -> list[tuple[str, bytes]]:
    """Names and contents of a multipart form, in order; none for anything else."""
    message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    if not message.is_multipart():
        return []
    return [
        (str(part.get_param("name", header="content-disposition")), _content(part))
        for part in message.iter_parts()
    ]


def _content(part: Message) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _refused(status: int, code: str, message: str) -> Response:
    return Response(
        f"<Error><Code>{code}</Code><Message>{message}</Message></Error>",
        status,
        media_type="application/xml",
    )
