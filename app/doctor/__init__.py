"""`doctor`: looks at a deployment from outside and inside, and says what to correct.

Each check is a function from the `Deployment` to its findings; `examine` runs them side
by side. Nothing here changes anything, but for one row that the write check keeps.
"""
