"""What a server remembers: people, avatars, consents, jobs and the audit log, in a SQL database; files beside it."""
