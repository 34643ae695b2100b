"""What of Uzum's answers is landed (dossier §1.3, §1.7). Buyers stand in orders and reviews, at any depth, and people
in texts: of resources in which they occur nothing is kept that is not named here.

Of a product that also leaves out what depends on who looks and when (instalment plans, delivery texts, one customer's
review), what is always empty, and pictures' addresses in nine sizes, which follow from `photoKey`. `deliveryDays`
stays: it is a promise of the offer; the texts and dates beside it move with every day.
"""

from pipelines.kept import Kept

_LEVELS = 6
"""Levels of a category chain that staging reads; four were seen."""


def _below(parent: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{parent}.{name}" for name in names)


_CHAIN = tuple(
    path
    for level in range(_LEVELS + 1)
    for path in _below("category" + ".parent" * level, "id", "title", "productAmount")
)

PRODUCT = Kept(
    values=(
        "id", "title", "language", "rating", "reviewsAmount", "ordersAmount", "rOrdersAmount", "totalAvailableAmount",
        "charityCommission", "tags", "isEco", "isPerishable", "adultCategory", "volumeDiscount", "video",
        *_below("localizableTitle", "uz", "ru"),
        *_CHAIN,
        *_below("comments", "commentType", "type"),
        *_below("badges", "id", "text", "type", "link"),
        *_below("photos", "photoKey", "color", "hasVerticalPhoto"),
        *_below("characteristics", "id", "title", "titleType", "values.id", "values.title", "values.value"),
        *_below(
            "seller", "id", "title", "link", "registrationDate", "rating", "reviews", "orders", "official",
            "sellerAccountId", "hasCharityProducts",
        ),
        "originality.isOriginal", "warranty.amount",
        *_below(
            "skuList", "id", "characteristics.charIndex", "characteristics.valueIndex", "availableAmount", "fullPrice",
            "purchasePrice", "sellPrice", "charityProfit", "barcode", "discount", "discountBadge", "offer", "oversized",
            "stock.type", "stock.deliveryDays", "vat.type", "vat.vatRate", "vat.vatAmount", "vat.price",
            "dimension.length", "dimension.width", "dimension.height", "dimension.weight",
        ),
    ),
    texts=("description", "attributes", "comments.comment"),
)  # fmt: skip
"""The seller's title is the name of a public shop and stays as it is; what the seller says of himself does not."""

REVIEW = Kept(
    values=(
        "id", "reviewId", "productId", "product_id", "date", "edited", "rating", "status", "amountLike",
        "amountDislike", "isAnonymous", *_below("characteristics", "characteristic", "characteristicValue"),
    ),
    texts=("content", "pros", "cons"),
)  # fmt: skip

SELLER_ORDER = Kept(
    values=(
        "id", "orderId", "status", "date", "dateIssued", "shopId", "productId", "productTitle", "skuId", "skuTitle",
        "sellerPrice", "purchasePrice", "amount", "amountReturns", "commission", "logisticDeliveryFee", "logisticsFee",
        "sellerProfit", "withdrawnProfit", "cancelled",
    ),
    texts=("returnCause",),
)  # fmt: skip
"""A line of the finance list."""

_LINE = (
    "id",
    "skuId",
    "productId",
    "skuTitle",
    "title",
    "productTitle",
    "price",
    "amount",
    "quantity",
    "barcode",
    "status",
)
FBS_ORDER = Kept(
    values=(
        "id", "status", "scheme", "shopId", "price", "dateCreated", "createdAt", "date", "acceptUntil", "deliverUntil",
        "acceptedDate", "deliveredDate", "deliveryDate", "completedDate", "cancelDate", "invoiceNumber", "stock.id",
        *_below("orderItems", *_LINE),
        *_below("items", *_LINE),
    ),
    texts=("cancelReason",),
)  # fmt: skip
"""`deliveryInfo` holds name, phone and address of the buyer (DBS); nothing of it is landed."""
