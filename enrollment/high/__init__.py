"""High quality: views that the diffusion prior synthesises, for the optimiser to learn from."""
