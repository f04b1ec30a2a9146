"""Talking to Stripe; knows nothing of Singer."""
