"""Commands about who may use what: groups, OAuth clients, keys of services."""
