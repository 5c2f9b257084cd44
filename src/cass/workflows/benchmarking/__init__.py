"""The parts of ``cass benchmark``: its cells, the work of one, who does it, and what comes of all."""
