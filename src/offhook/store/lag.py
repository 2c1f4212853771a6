"""How far the readers of the history are behind it."""

import time

from sqlalchemy import ColumnElement, Connection, and_, exists, func, or_, select

from offhook.services.ports.store import Lag
from offhook.store.mails import MAIL, reads_since
from offhook.store.scope import is_open
from offhook.store.tables import changes, cursors, organizations, webhooks
from offhook.store.webhooks import CHANGES

_CONSUMERS = ("switch", "edge", CHANGES, MAIL)
_MOST_DATED = 100
"""So many of those that are most behind are looked at for how long; thousands are behind after the edge was away."""


def read_lags(connection: Connection) -> dict[str, Lag]:
    """By consumer. Of organizations that are closed, or have no webhook that would be told, nobody is behind; nor is mail that is off."""
    return {consumer: _lag(connection, consumer) for consumer in _CONSUMERS}


def _lag(connection: Connection, consumer: str) -> Lag:
    at = func.coalesce(cursors.c.revision, 0)
    own = and_(cursors.c.organization_id == organizations.c.id, cursors.c.consumer == consumer)
    behind = (is_open(organizations.c.id), organizations.c.revision > at, _is_read(consumer))
    rows = select(organizations.c.id, at, organizations.c.revision - at).select_from(organizations.outerjoin(cursors, own)).where(*behind)
    found = connection.execute(rows.order_by((organizations.c.revision - at).desc())).all()
    if not found:
        return Lag(0, 0, 0.0)
    waiting = [and_(changes.c.organization_id == id, changes.c.revision == revision + 1) for id, revision, _ in found[:_MOST_DATED]]
    oldest = connection.execute(select(func.min(changes.c.at)).where(or_(*waiting))).scalar()
    return Lag(len(found), found[0][2], 0.0 if oldest is None else max(0.0, time.time() - oldest))


def _is_read(consumer: str) -> ColumnElement[bool]:
    if consumer == MAIL:
        return reads_since()
    if consumer != CHANGES:
        return organizations.c.id > 0
    return exists(select(webhooks.c.id).where(webhooks.c.organization_id == organizations.c.id, webhooks.c.enabled))
