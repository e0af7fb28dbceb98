"""Routes that services, their proxies and programs ask; none shows a page."""
