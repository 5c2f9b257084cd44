"""What the settings of a command mean, resolved before any image is read: a wrong word costs a second."""
