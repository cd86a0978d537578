"""A stand-in of Supabase Storage's HTTP API: private buckets in a folder, and it misbehaves on request."""

from sandbox.storage.faults import Fault, FaultKind
from sandbox.storage.objects import ObjectStore, StorageFailure, StoredObject
from sandbox.storage.server import StorageServer

__all__ = ["Fault", "FaultKind", "ObjectStore", "StorageFailure", "StorageServer", "StoredObject"]
