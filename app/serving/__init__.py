"""What gunicorn.conf.py is made of: the watchdog of a worker, and request bodies."""
