"""cass: cross-architectural self-supervision for medical images."""
