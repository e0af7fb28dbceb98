"""Commands about who may use what: groups, OAuth clients, grants, keys of services."""
