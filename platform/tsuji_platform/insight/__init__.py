"""What every service says about itself, the same way: logs, figures for Prometheus, traces."""
