"""Routes of native logins: the app's own, and those of the browser that confirms."""
