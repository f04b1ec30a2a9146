"""A Stripe on 127.0.0.1, over real HTTP, with accounts, events, faults and a virtual clock."""
