"""One verb, one file, one typed result."""
