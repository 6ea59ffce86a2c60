"""Reading and writing recorded clips."""
