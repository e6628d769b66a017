"""The only memory: metadata database, migrations, tables, blobs, leases, audit chain."""

from modelyard.store.blobs import Blobs
from modelyard.store.lease import Held
from modelyard.store.store import Store, Transaction, open_store

__all__ = ["Blobs", "Held", "Store", "Transaction", "open_store"]
