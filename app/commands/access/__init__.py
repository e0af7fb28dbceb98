"""Commands about who may use what: groups of accounts, OAuth clients."""
