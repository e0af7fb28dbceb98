"""How a fake host says no, in the words of RFC 6749 §5.2."""

from __future__ import annotations


class Refusal(Exception):
    """An OAuth error: the code is what clients decide on, the reason is for people."""

    def __init__(self, code: str, reason: str, status: int = 400) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason
        self.status = status

    def document(self) -> dict[str, str]:
        return {"error": self.code, "error_description": self.reason}
