"""Tracking: from pictures of a face to drive frames, live or offline, and matting. Both enrollment and the live path use it."""
