"""The history of changes: entries chained per subject, written in the transaction of the change they tell of."""
