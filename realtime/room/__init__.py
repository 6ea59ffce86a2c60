"""A room as one scene: who sits where, who looks at whom, and the picture that each participant sees."""
