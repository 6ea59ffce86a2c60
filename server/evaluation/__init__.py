"""Quality against recorded or synthetic truth: `visavis eval`, `visavis bench reconstruct` and `visavis bench prior`."""
