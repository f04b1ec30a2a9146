"""Fetches what is planned: worker threads, their scheduler, hedging and backpressure."""
