"""What all commands share: options, questions, tables, JSON, durations."""
