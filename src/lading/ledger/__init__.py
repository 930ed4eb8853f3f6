"""What arrived, what was decided, what happened: batches, items, and hash-chained events."""
