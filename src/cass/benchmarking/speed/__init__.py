"""What is timed side by side: cass, the bare networks, the published loop, lightly."""
