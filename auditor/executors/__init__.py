"""Where work runs: threads for layers."""
