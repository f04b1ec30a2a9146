"""Products: what is sold, and what determines its price."""

from tap_stripe_connect.catalog.kinds import List

STREAMS = (
    List(
        "coupons",
        "/v1/coupons",
        "rak_coupon_read",
        deleted_by=("coupon.deleted",),
        # Redemption changes times_redeemed. Which field of a discount has the coupon depends on the
        # API version.
        touched_by={"discount": ("source.coupon", "coupon")},
        expand=("applies_to", "currency_options"),
        reference=True,
    ),
    List(
        "plans",
        "/v1/plans",
        "rak_plan_read",
        deleted_by=("plan.deleted",),
        expand=("tiers",),
        reference=True,
    ),
    List(
        "prices",
        "/v1/prices",
        "rak_plan_read",
        deleted_by=("price.deleted",),
        expand=("currency_options", "tiers"),
        reference=True,
    ),
    List(
        "products",
        "/v1/products",
        "rak_product_read",
        deleted_by=("product.deleted",),
        touched_by={"price": ("product",)},
        reference=True,
    ),
    List(
        "promotion_codes",
        "/v1/promotion_codes",
        "rak_promotion_code_read",
        # Redemption changes times_redeemed.
        touched_by={"discount": ("promotion_code",)},
        expand=("restrictions.currency_options",),
        reference=True,
    ),
    List("tax_rates", "/v1/tax_rates", "rak_tax_rate_read", reference=True),
)
