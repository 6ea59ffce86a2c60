"""Small per-person networks that the optimiser trains, and their baking into what an avatar file carries."""
