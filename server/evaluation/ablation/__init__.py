"""What each mechanism of reconstruction is worth, on a synthetic head whose every number is known."""
