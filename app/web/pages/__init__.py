"""What pages show: templates, outcomes, permissions and device names in words."""
