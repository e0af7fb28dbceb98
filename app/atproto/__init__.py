"""An OAuth client for the AT Protocol, usable without the rest of Latchkey."""
