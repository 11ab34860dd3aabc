"""The files of /proc/PID and their kin: bytes in, records out."""
