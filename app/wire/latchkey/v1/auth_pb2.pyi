from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class InitiateLoginRequest(_message.Message):
    __slots__ = ("identifier", "app_name", "code_challenge")
    IDENTIFIER_FIELD_NUMBER: _ClassVar[int]
    APP_NAME_FIELD_NUMBER: _ClassVar[int]
    CODE_CHALLENGE_FIELD_NUMBER: _ClassVar[int]
    identifier: str
    app_name: str
    code_challenge: str
    def __init__(self, identifier: _Optional[str] = ..., app_name: _Optional[str] = ..., code_challenge: _Optional[str] = ...) -> None: ...

class InitiateLoginResponse(_message.Message):
    __slots__ = ("oauth_url", "session_id", "user_code", "expires_in")
    OAUTH_URL_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    USER_CODE_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_IN_FIELD_NUMBER: _ClassVar[int]
    oauth_url: str
    session_id: str
    user_code: str
    expires_in: int
    def __init__(self, oauth_url: _Optional[str] = ..., session_id: _Optional[str] = ..., user_code: _Optional[str] = ..., expires_in: _Optional[int] = ...) -> None: ...

class AwaitLoginRequest(_message.Message):
    __slots__ = ("session_id", "code_verifier", "last_event_id")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    CODE_VERIFIER_FIELD_NUMBER: _ClassVar[int]
    LAST_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    code_verifier: str
    last_event_id: str
    def __init__(self, session_id: _Optional[str] = ..., code_verifier: _Optional[str] = ..., last_event_id: _Optional[str] = ...) -> None: ...

class AwaitLoginResponse(_message.Message):
    __slots__ = ("pending", "completed", "denied", "expired")
    PENDING_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_FIELD_NUMBER: _ClassVar[int]
    DENIED_FIELD_NUMBER: _ClassVar[int]
    EXPIRED_FIELD_NUMBER: _ClassVar[int]
    pending: Pending
    completed: Completed
    denied: Denied
    expired: Expired
    def __init__(self, pending: _Optional[_Union[Pending, _Mapping]] = ..., completed: _Optional[_Union[Completed, _Mapping]] = ..., denied: _Optional[_Union[Denied, _Mapping]] = ..., expired: _Optional[_Union[Expired, _Mapping]] = ...) -> None: ...

class Pending(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Completed(_message.Message):
    __slots__ = ("token", "did", "handle", "username", "expires_in", "refresh_token", "refresh_expires_in")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    DID_FIELD_NUMBER: _ClassVar[int]
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    USERNAME_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_IN_FIELD_NUMBER: _ClassVar[int]
    REFRESH_TOKEN_FIELD_NUMBER: _ClassVar[int]
    REFRESH_EXPIRES_IN_FIELD_NUMBER: _ClassVar[int]
    token: str
    did: str
    handle: str
    username: str
    expires_in: int
    refresh_token: str
    refresh_expires_in: int
    def __init__(self, token: _Optional[str] = ..., did: _Optional[str] = ..., handle: _Optional[str] = ..., username: _Optional[str] = ..., expires_in: _Optional[int] = ..., refresh_token: _Optional[str] = ..., refresh_expires_in: _Optional[int] = ...) -> None: ...

class RefreshTokenRequest(_message.Message):
    __slots__ = ("refresh_token",)
    REFRESH_TOKEN_FIELD_NUMBER: _ClassVar[int]
    refresh_token: str
    def __init__(self, refresh_token: _Optional[str] = ...) -> None: ...

class Denied(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Expired(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
