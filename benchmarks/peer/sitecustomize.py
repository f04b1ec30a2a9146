"""Makes Stripe's own package speak plain HTTP; Python imports this when it starts.

The host stays, because tap-stripe looks for it in addresses: `http_proxy` leads to the page server.
"""

from __future__ import annotations

import stripe

stripe.api_base = "http://api.stripe.com"
