"""Languages of pages and errors: gettext catalogues, and which one a request gets."""
