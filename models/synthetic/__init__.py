"""Synthetic heads: people who do not exist, as truth to train and to measure with.

`SyntheticHead.random(model, seed)` makes somebody, `render` draws them; `stream` feeds a training, `sheet` shows many.
Importing this package is free; numba compiles at the first use and keeps the result on disk.
"""
