"""The revisions, one file for each release that changed the schema."""
