"""`python -m app.metrics`: serve metrics on METRICS_BIND until the parent ends."""

from app import serve_metrics

if __name__ == "__main__":
    serve_metrics()
