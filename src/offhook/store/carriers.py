"""The provider's carriers."""

from sqlalchemy import Connection, select

from offhook.domain.errors import Conflict
from offhook.domain.organizations import Carrier
from offhook.services.ports.store import CarrierEntry
from offhook.store.provider import ProviderScope
from offhook.store.tables import carriers


class Carriers:
    """services.ports.store.Carriers."""

    def __init__(self, scope: ProviderScope) -> None:
        self._scope = scope

    def all(self) -> list[CarrierEntry]:
        self._scope.hold()
        return all_carriers(self._scope.connection)

    def put(self, entry: CarrierEntry) -> None:
        self._scope.hold()
        carrier = entry.carrier
        values = {"host": carrier.host, "port": carrier.port, "sandbox": entry.sandbox, "is_default": entry.default}
        there = (carriers.c.host == carrier.host, carriers.c.port == carrier.port)
        for other in self._scope.rows(carriers, *there, carriers.c.name != carrier.name):
            raise Conflict(f"The carrier {other['name']} is at this address and port already.", "address")
        if entry.default:
            self._scope.update(carriers, carriers.c.name != carrier.name, is_default=False)
        if self._scope.rows(carriers, carriers.c.name == carrier.name):
            self._scope.update(carriers, carriers.c.name == carrier.name, **values)
        else:
            self._scope.insert(carriers, name=carrier.name, **values)

    def remove(self, name: str) -> None:
        self._scope.delete(carriers, carriers.c.name == name)


def all_carriers(connection: Connection) -> list[CarrierEntry]:
    """Every carrier, by name."""
    rows = connection.execute(select(carriers).order_by(carriers.c.name)).mappings()
    return [CarrierEntry(Carrier(row["name"], row["host"], row["port"]), row["sandbox"], row["is_default"], row["version"]) for row in rows]
