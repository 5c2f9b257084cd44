"""Views: recipes of augmentation, as data."""
