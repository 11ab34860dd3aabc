"""The view ``process_tree``."""

from __future__ import annotations

from sockql.schema import View, integer, text


class ProcessTree(
    View,
    key=("pid",),
    examples=[
        "select tree, pid from process_tree",
        "select distinct p.pid, p.name from process_tree p, json_each(ancestors) where value = 1",
    ],
):
    """Processes as a tree: each one before its children, which come in order of pid.

    A process whose parent is not to be seen is a root.
    """

    pid = integer("Number of the process.", source="/proc/PID")
    parent = integer(
        "Process that it is a child of; NULL for the first process, the first kernel thread, and "
        "when the parent is in an outer pid namespace.",
        source="/proc/PID/stat ppid",
    )
    name = text(
        "Name the process, or its executable, gave itself: up to 15 bytes of any kind.",
        source="/proc/PID/stat comm",
    )
    depth = integer("Number of processes above it, 0 for a root.", source="processes.parent")
    lineage = text(
        "Names of the processes above it and its own, root first, with ' > ' between them.",
        source="processes.name",
    )
    ancestors = text(
        "Numbers of the processes above it, root first, as a JSON array.",
        source="processes.parent",
    )
    tree = text("Name, two blanks further in for each process above it.", source="processes.name")

    # The rows that wait to be followed are taken deepest first, so that children come right
    # after their parent, and of sisters the one with the lowest number.  A parent that is
    # younger than its child is another process, which got the number meanwhile.
    sql = """
        with recursive
        known as materialized (select pid, parent, name, start_ticks from processes),
        descent(pid, parent, name, depth, lineage, ancestors, started) as (
            select pid, parent, name, 0, name, '[', start_ticks
            from known
            where not exists (
                select 1 from known as above
                where above.pid = known.parent and above.start_ticks <= known.start_ticks
            )
            union all
            select known.pid, known.parent, known.name, depth + 1,
                lineage || ' > ' || known.name,
                ancestors || iif(depth, ',', '') || descent.pid,
                known.start_ticks
            from descent
            join known on known.parent = descent.pid and known.start_ticks >= started
            order by 4 desc, 1
        )
        select pid, parent, name, depth, lineage, ancestors || ']' as ancestors,
            printf('%*s', 2 * depth, '') || name as tree
        from descent
    """


TABLE = ProcessTree()
