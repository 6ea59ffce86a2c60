"""Training of the diffusion prior: training pairs from synthetic people, and the training loop."""
