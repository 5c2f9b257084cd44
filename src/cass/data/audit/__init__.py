"""What is wrong with a data set: facts of its files, and what they say. Layer 1."""
