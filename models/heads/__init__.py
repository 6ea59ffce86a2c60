"""Head models: what a head looks like, how it varies between people, how it moves."""
