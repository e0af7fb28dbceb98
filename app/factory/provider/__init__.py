"""The use cases of the OAuth provider, each built with its collaborators."""
