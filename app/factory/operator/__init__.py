"""What the operator's commands work with: use cases, storage and the doctor's facts."""
