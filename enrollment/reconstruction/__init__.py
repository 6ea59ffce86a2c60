"""Standard quality: an avatar's Gaussians and rig, optimised on a capture."""
