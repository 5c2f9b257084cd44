"""Who trains, validates and tests, and whose labels are used."""
