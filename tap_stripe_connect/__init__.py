"""Copies Stripe data, of one account or of every connected account, into any Singer target."""
