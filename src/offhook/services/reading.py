"""How readers of the history go on: what is wrong with one organization costs the others nothing."""

import logging
from collections.abc import Callable

from offhook.domain.errors import Missing, Unavailable
from offhook.domain.organizations import OrganizationId

log = logging.getLogger(__name__)


def each_by_itself(organization: OrganizationId, what: str, work: Callable[[], None]) -> bool:
    """Do what a reader does for one organization; whether it was done. `what` is said of it in the log. Raises Unavailable."""
    try:
        work()
    except Missing:
        log.info("Organization %s is gone", organization)
        return False
    except Unavailable:
        raise
    except Exception:
        log.exception("%s of organization %s could not be taken up", what, organization)
        return False
    return True
