"""Where the files of the asset libraries are kept: `{id, account, fileHash, content (base64 or null), size, …}`."""

from __future__ import annotations

from sandbox.state import Collection, Document, State


def find_asset(state: State, asset_id: str) -> Document | None:
    """Of any site: what is hosted is public."""
    found = (assets_of(state, account).get(asset_id) for account in state.accounts("webflow"))
    return next((one for one in found if one is not None), None)


def assets_of(state: State, account: str) -> Collection:
    return state.collection(f"webflow/{account}/assets")
