"""Use cases of the account page: what people do with their own account."""

from __future__ import annotations

from dataclasses import dataclass

from .apps import OwnApps
from .data import DownloadData
from .ended import ExplainEnd
from .handle import VerifyHandle
from .permissions import WithdrawPermission
from .username import ChangeUsername, CheckUsername


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnAccount:
    """What a person does with the account that they are signed in with."""

    change_username: ChangeUsername
    check_username: CheckUsername
    verify_handle: VerifyHandle
    withdraw: WithdrawPermission
    apps: OwnApps
    explain_end: ExplainEnd
    download: DownloadData
