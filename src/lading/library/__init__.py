"""What we hold, in SQL: assets and their files, containers with members in order, sites, trash."""
