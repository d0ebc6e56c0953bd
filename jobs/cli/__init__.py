"""What people type: one module for each kind of command, gathered by `workers.cli`."""
