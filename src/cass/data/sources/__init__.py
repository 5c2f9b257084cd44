"""Data sets that are made on the spot: the generated set, MedMNIST."""
