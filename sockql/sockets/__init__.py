"""The rows of the table sockets: which dumps a scan needs, and that none is missing."""
