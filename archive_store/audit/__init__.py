"""The history of changes: entries chained per subject, written in the transaction of the change they tell of.

Also what is told in the same transaction: notifications and their feed; and the record of readings.
"""
