"""A run whose steps go to Celery, for the proofs: `celery_run.py slice KEY` or `celery_run.py sync [ASSET …]`."""

from __future__ import annotations

import sys

import dagster as dg


def crawl_job() -> dg.JobDefinition:
    return _job("crawl_job")


def sync_job() -> dg.JobDefinition:
    return _job("sync_job")


def _job(name: str) -> dg.JobDefinition:
    from orchestration.definitions import defs

    return defs().get_repository_def().get_job(name)


def main(what: str, *chosen: str) -> int:
    """Wait for the run; the exit status says whether it succeeded."""
    import celery_run

    with dg.DagsterInstance.get() as instance:
        if what == "slice":
            tags = {"dagster/partition": chosen[0]}
            done = dg.execute_job(dg.reconstructable(celery_run.crawl_job), instance, tags=tags)
        else:
            keys = [dg.AssetKey.from_user_string(one) for one in chosen]
            done = dg.execute_job(
                dg.reconstructable(celery_run.sync_job), instance, asset_selection=keys or None
            )
        return 0 if done.success else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
