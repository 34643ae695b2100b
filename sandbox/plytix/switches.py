"""Behaviours of Plytix that the dossier calls unknown or contradictory, each a switch."""

from sandbox.state import Switches


def declare_switches(switches: Switches) -> None:
    """Plytix dossier §5 to §10 and §20."""
    on_off = (True, False)
    declare = switches.declare
    declare("plytix.token_seconds", 900, help="Life of a token (dossier §2: 15 minutes).")
    declare(
        "plytix.modified_accepts_timestamp",
        True,
        choices=on_off,
        help="Filters on modified/created take a full timestamp; false: a date only, else 422.",
    )
    declare(
        "plytix.date_gt",
        "midnight",
        choices=("midnight", "end_of_day"),
        help="What `gt`/`lte` of a date-only value is compared with.",
    )
    declare(
        "plytix.timestamp_form",
        "mixed",
        choices=("mixed", "v1", "v2", "no_fraction"),
        help="mixed: three forms in one account; v1: with offset; v2: without; no_fraction: whole seconds.",
    )
    declare(
        "plytix.date_form",
        "mixed",
        choices=("mixed", "date", "datetime"),
        help="Date attributes in v2: `2015-03-28`, or with T00:00:00.",
    )
    declare(
        "plytix.v2_ids",
        "object",
        choices=("object", "string", "mixed"),
        help="categories, assets and thumbnail in v2: [{id}] or [id].",
    )
    declare(
        "plytix.v2_media", "ids", choices=("ids", "objects"), help="Media attributes in v2: [id] or [{id}]."
    )
    declare(
        "plytix.numbers_as_strings",
        "never",
        choices=("never", "always", "mixed"),
        help="Integers and decimals in v2 as strings (v1 always gives integers so).",
    )
    declare(
        "plytix.empty_attributes_as_list",
        "mixed",
        choices=("mixed", "always", "never"),
        help="An empty attributes bag is [] instead of {}.",
    )
    declare(
        "plytix.relationship_name_key",
        "relationship_label",
        choices=("relationship_label", "label"),
        help="Name key of a relationship entry in a search row.",
    )
    declare(
        "plytix.family_in_search",
        "refused",
        choices=("refused", "null", "value", "unasked"),
        help="Family, level, type and overwritten columns in search: 422, always null, given when asked, "
        "given unasked.",
    )
    declare(
        "plytix.formula_attributes",
        "absent",
        choices=("absent", "value", "refused"),
        help="A formula attribute as a search column: never filled, filled, or 422.",
    )
    declare(
        "plytix.overwritten_prefix",
        False,
        choices=on_off,
        help="overwritten_attributes as attributes.<label> instead of <label>.",
    )
    declare(
        "plytix.total_count_ignores_filter",
        True,
        choices=on_off,
        help="total_count is the size of the whole resource.",
    )
    declare(
        "plytix.count_is_page",
        False,
        choices=on_off,
        help="count is the rows of this page (the doubtful reading).",
    )
    declare(
        "plytix.pagination_counts",
        "both",
        choices=("both", "no_count", "no_total_count", "none"),
        help="Which of count and total_count come at all.",
    )
    declare(
        "plytix.unsorted_paging",
        "stable",
        choices=("stable", "overlapping"),
        help="Without an order pages may repeat rows of the page before.",
    )
    declare("plytix.ordered_rows_limit", 10_000, help="Ordered searches with more matches answer 428.")
    declare(
        "plytix.unsorted_rows_limit", 0, help="Rows that unsorted paging can reach, else 422; 0: no limit."
    )
    declare(
        "plytix.small_page_size_max",
        100,
        choices=(100, 1000),
        help="Largest page_size of the attribute search (products: always 100).",
    )
    declare(
        "plytix.inheritance_moves_modified",
        True,
        choices=on_off,
        help="A value inherited from the parent moves modified of the variant.",
    )
    declare(
        "plytix.category_moves_modified",
        False,
        choices=on_off,
        help="Renaming a category moves modified of its products.",
    )
    declare(
        "plytix.asset_moves_modified",
        False,
        choices=on_off,
        help="Replacing the file of an asset moves modified of its products.",
    )
    declare(
        "plytix.asset_url_changes",
        False,
        choices=on_off,
        help="The file name, and with it the URL, changes when the file is replaced.",
    )
    declare(
        "plytix.relationship_moves_modified",
        True,
        choices=on_off,
        help="Linking a related product moves modified of the owner.",
    )
    declare(
        "plytix.completeness_moves_modified",
        False,
        choices=on_off,
        help="A completeness that is recomputed because its attribute list changed moves modified.",
    )
    declare(
        "plytix.deprecation_header",
        False,
        choices=on_off,
        help="v1 product calls carry X-Plytix-Deprecation.",
    )
    declare(
        "plytix.role_sees_products",
        True,
        choices=on_off,
        help="false: the key's role is broken and every product search is empty.",
    )
