"""Networks: the two branches, their heads and their files."""
