"""Speed and accuracy on this machine: `visavis bench`."""
