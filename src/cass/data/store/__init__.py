"""Decoded images: in memory, on disk, in batches, as a stream."""
