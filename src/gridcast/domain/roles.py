"""Who may do what with the service."""

import enum


class Role(enum.StrEnum):
    """What a caller may do; each role may do what the ones before it may."""

    VIEWER = "viewer"
    """Read everything that is shown to people on duty."""
    OPERATOR = "operator"
    """Also set forecasts by hand and ask what-if."""
    ENGINEER = "engineer"
    """Also send readings."""
    ADMIN = "admin"
    """Also hand out and revoke keys, and read the audit log."""

    def covers(self, needed: "Role") -> bool:
        """Whether this role may do what `needed` may.

        >>> Role.ENGINEER.covers(Role.OPERATOR), Role.VIEWER.covers(Role.OPERATOR)
        (True, False)
        """
        return _RANK[self] >= _RANK[needed]


_RANK = {role: rank for rank, role in enumerate(Role)}
