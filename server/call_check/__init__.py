"""`visavis doctor --call LINK`: what works on the way to a room, and the cure for what does not."""
