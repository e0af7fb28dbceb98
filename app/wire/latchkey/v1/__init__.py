"""Version 1: signing in from an app. Generated, except for the .proto itself."""
