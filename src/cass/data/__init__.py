"""Images on disk to arrays in memory: manifests, splits, label fractions, readers and the decoded store.

Layer 1: imports only ``cass.types``, ``cass.errors``, ``cass.config`` and ``cass.registry``.
"""
