"""The view ``deleted_files``."""

from __future__ import annotations

from sockql.schema import View, integer, text


class DeletedFiles(
    View,
    examples=[
        "select pid, fd, size, target from deleted_files where type = 'file' order by size desc",
        "select distinct dev, file_inode, allocated from deleted_files order by allocated desc",
    ],
):
    """Files without any name that processes still hold, one row for each descriptor or role.

    The room they take becomes free when the last of these is closed. Files in memory that never
    had a name (memfd) are among them.
    """

    pid = integer("Number of the process.", source="/proc/PID")
    role = text(
        "What the process does with it, if it has no descriptor of it: cwd, root, exe or mem; NULL "
        "for a descriptor.",
        source="process_files.role",
    )
    fd = integer("Number of the descriptor; NULL for a role.", source="fds.fd")
    type = text(
        "Kind of the file: file, dir, memfd and so on, as fds has it.",
        source="st_mode",
    )
    target = text(
        "Path the file had, with ' (deleted)' at its end.",
        source="/proc/PID/fd/FD, cwd, root, exe, maps",
    )
    size = integer(
        "Length of the file; NULL for what is neither a file nor a directory.",
        source="st_size",
        unit="bytes",
    )
    allocated = integer("Room the file takes on its device.", source="st_blocks", unit="bytes")
    dev = text("Device that file_inode is on, as major:minor.", source="st_dev")
    file_inode = integer("Inode of the file on its device.", source="st_ino")

    sql = """
        select pid, null as role, fd, type, target, size, allocated, dev, file_inode
        from fds where deleted = 1 and nlink = 0
        union all
        select pid, role, null, type, target, size, allocated, dev, file_inode
        from process_files where deleted = 1 and nlink = 0
    """


TABLE = DeletedFiles()
