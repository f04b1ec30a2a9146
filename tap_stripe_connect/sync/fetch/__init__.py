"""Reads what is planned: worker threads, their scheduler, and what holds them back."""
