"""Drawing Gaussians. Start from choose.py; base.py says what is drawn. Importing this loads neither numba nor torch."""
