"""What every room stands on: database and transactions, object store, keys, clock, settings, errors.

No rule of the school policy lives here.
"""
