"""What is on offer: plans and coupons."""

from tap_stripe_connect.catalog.kinds import List

STREAMS = (
    List(
        "coupons",
        "/v1/coupons",
        "rak_coupon_read",
        deleted_by=("coupon.deleted",),
        # Redeeming raises times_redeemed; where a discount names its coupon depends on the version.
        touched_by={"discount": ("source.coupon", "coupon")},
        expand=("applies_to",),
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
)
