"""Measuring how fast pretraining is, beside the limit of the two networks and beside other methods."""
