"""Settings of every command, one file a command, declared once: names, defaults, bounds, units and help."""
