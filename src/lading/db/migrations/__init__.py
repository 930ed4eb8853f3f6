"""The history of the schema, run by `lading.db.migrate`; one file in `versions` for each change."""
