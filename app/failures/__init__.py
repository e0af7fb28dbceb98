"""What failures are called outside: one table for every front end.

`table` gives each class its code and HTTP status, `texts` gives each code its words,
and `report` puts both together with a reference that the log has, too. A front end adds
what only it can meet, and decides how a failure is shown.
"""

from .failure import Failure, Told, report
from .table import INTERNAL, TABLE, Row, row_for

__all__ = ["INTERNAL", "TABLE", "Failure", "Row", "Told", "report", "row_for"]
