"""Enrollments in the background: processes that take them from the queue, beside calls that have the right of way."""
