"""The version of cass. Layer 0."""

__version__ = "0.2.0"
