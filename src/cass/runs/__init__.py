"""Run folders and what passes through them: inputs, inference, shards."""
