"""The provider's carriers."""

from sqlalchemy import Connection, delete, insert, select, update

from offhook.domain.organizations import Carrier
from offhook.services.ports.store import CarrierEntry
from offhook.store.tables import carriers


class Carriers:
    """services.ports.store.Carriers."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> list[CarrierEntry]:
        rows = self._connection.execute(select(carriers).order_by(carriers.c.name)).mappings()
        return [CarrierEntry(Carrier(row["name"], row["host"], row["port"]), row["sandbox"], row["is_default"]) for row in rows]

    def put(self, entry: CarrierEntry) -> None:
        carrier = entry.carrier
        values = {"host": carrier.host, "port": carrier.port, "sandbox": entry.sandbox, "is_default": entry.default}
        if entry.default:
            self._connection.execute(update(carriers).where(carriers.c.name != carrier.name).values(is_default=False))
        if not self._connection.execute(update(carriers).where(carriers.c.name == carrier.name).values(**values)).rowcount:
            self._connection.execute(insert(carriers).values(name=carrier.name, **values))

    def remove(self, name: str) -> None:
        self._connection.execute(delete(carriers).where(carriers.c.name == name))
