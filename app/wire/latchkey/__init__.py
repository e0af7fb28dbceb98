"""The protobuf packages named `latchkey`, one folder per version."""
