"""Authorization requests of apps: read, judged, answered with a code."""
