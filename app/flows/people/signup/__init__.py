"""Sign-up: who may join, invitations, and the username that a newcomer chooses."""
