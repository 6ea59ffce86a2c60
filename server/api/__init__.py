"""REST: accounts, avatars, enrollments, the audit log."""
