"""One connector per kind of source, behind the contract of `gridcast.ingestion.source`."""
