"""What is wrong with a data set: facts of its files, what they say, and the report."""
