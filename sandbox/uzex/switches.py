"""Behaviours of UZEX that the dossier calls unknown or contradictory, each a switch."""

from __future__ import annotations

from sandbox.state import Switches


def declare_switches(switches: Switches) -> None:
    """UZEX dossier §2.2 and §2.3."""
    declare = switches.declare
    on_off = (True, False)
    declare("uzex.user_agent_check", False, choices=on_off,
            help="500 `Missing User-Agent header` unless it is a browser's; not etender.")  # fmt: skip
    declare("uzex.validation_check", False, choices=on_off,
            help="The auction host answers 500 `Not Valid` without a validation header.")  # fmt: skip
    declare(
        "uzex.past_end",
        "empty",
        choices=("empty", "ora"),
        help="A window beyond the end: [] or 500 ORA-01403.",
    )
    declare("uzex.filters", "some", choices=("some", "ignored"), help="ignored: no filter has any effect.")
    declare(
        "uzex.rank_shift", 0, help="So many new rows arrive at the top of a list after each of its windows."
    )
    declare("uzex.total_drift", 0, help="total_count is wrong by up to this many.")
    declare("uzex.purchase_overlap", 0, help="Windows of purchase lists begin so many ranks early.")
    declare("uzex.nul_characters", True, choices=on_off, help="One procedure in 25 has a NUL in its text.")
    declare("uzex.latency_ms", 0, help="How long every answer takes.")
    declare("uzex.detail_latency_ms", 0, help="How much longer a detail takes.")
