"""Measures of embeddings and predictions: arrays in, frozen results out."""
