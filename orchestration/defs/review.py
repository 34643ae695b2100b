"""A job for each thing that a person decides, so that a shop team needs no terminal."""

import dagster as dg

from karvon.settings import Settings
from karvon.warehouse import Warehouse
from orchestration.defs.activation import look_again
from reverse_etl.applying.apply import Blocked, NotConfigured, apply_plan
from reverse_etl.destinations import DESTINATIONS, channels, rate_per_minute
from reverse_etl.review.approvals import NothingToApprove, approve
from reverse_etl.review.parity import measure
from reverse_etl.review.undo import NothingToUndo, make_undo
from reverse_etl.spec.syncs import Sync
from reverse_etl.state.leases import Busy
from reverse_etl.state.stored_plans import NoSuchPlan, load_plan

POOL = "webflow_api"


class ApproveConfig(dg.Config):
    """Who approves, and what: all that is held, or what fits all that is given."""

    approver: str
    keys: list[str] = []
    rule: str | None = None
    plan_id: str | None = None


class PlanConfig(dg.Config):
    """A stored plan; its id is in the run that made it and in `karvon history`."""

    plan_id: str


def review(settings: Settings, warehouse: Warehouse, syncs: tuple[Sync, ...]) -> dg.Definitions:
    """Jobs: approve_rows, apply_plan, retry_errors, undo_plan."""

    @dg.op
    def approve_held_rows(context: dg.OpExecutionContext, config: ApproveConfig) -> None:
        try:
            given = approve(
                warehouse, config.approver, keys=config.keys, rule=config.rule, plan_id=config.plan_id
            )
        except NothingToApprove as nothing:
            raise dg.Failure(str(nothing)) from None
        lines = [f"- {one.rule} · {one.sync} · {one.key or f'plan {one.plan_id}'}" for one in given]
        context.add_output_metadata(
            {"approved": dg.MetadataValue.md("\n".join(lines)), "by": config.approver}
        )

    @dg.op(pool=POOL)
    def apply_stored_plan(context: dg.OpExecutionContext, config: PlanConfig) -> None:
        try:
            result = apply_plan(warehouse, config.plan_id, syncs, DESTINATIONS, channels(settings))
        except (Blocked, Busy, NoSuchPlan, NotConfigured) as refused:
            raise dg.Failure(str(refused)) from None
        look_again(settings, warehouse, load_plan(warehouse, config.plan_id), syncs)
        measure(warehouse, syncs, DESTINATIONS, config.plan_id)
        context.add_output_metadata({"summary": result.summary(), "requests": result.requests})
        if result.failed or result.stopped:
            raise dg.Failure(result.summary(), metadata={"errors": "\n".join(result.errors[:50])})

    @dg.op
    def plan_the_way_back(context: dg.OpExecutionContext, config: PlanConfig) -> None:
        try:
            plan = make_undo(
                warehouse,
                syncs,
                DESTINATIONS,
                config.plan_id,
                profile=settings.profile,
                rate_per_minute=rate_per_minute(settings),
            )
        except (NothingToUndo, NoSuchPlan) as refused:
            raise dg.Failure(str(refused)) from None
        context.add_output_metadata(
            {"plan_id": plan.plan_id, "plan": dg.MetadataValue.md(plan.to_markdown(rows=200))}
        )

    @dg.job(name="approve_rows", executor_def=dg.in_process_executor)
    def approve_rows() -> None:
        """Let held rows, or a plan that a guard blocked, go: all of it, by key, by rule or by plan."""
        approve_held_rows()

    @dg.job(name="apply_plan", executor_def=dg.in_process_executor)
    def apply_one_plan() -> None:
        """Apply exactly the stored plan that was read."""
        apply_stored_plan()

    @dg.job(name="undo_plan", executor_def=dg.in_process_executor)
    def undo_one_plan() -> None:
        """Make the plan that takes another one back; apply_plan carries it out."""
        plan_the_way_back()

    retry_errors = dg.define_asset_job(
        "retry_errors",
        selection=dg.AssetSelection.groups("webflow_store"),
        executor_def=dg.in_process_executor,
        config={"ops": {"webflow_store": {"config": {"retry": True, "apply": True}}}},
        description="Plan the rows again that the destination refused, and apply that plan.",
    )
    return dg.Definitions(jobs=[approve_rows, apply_one_plan, undo_one_plan, retry_errors])
