"""Client for the Stripe API, independent of Singer."""
