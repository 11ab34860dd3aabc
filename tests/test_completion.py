"""What is offered at a place in SQL."""

from __future__ import annotations

import pytest

from sockql.completion.catalogue import ALIAS, COLUMN, FUNCTION, KEYWORD, PARAMETER, TABLE, VALUE
from tests.completing import answer, cases, check, texts

#: Names only: neither functions nor keywords are compared.
NAMES = cases(
    r"""
# columns of the tables in scope, wherever FROM is
select | from sockets  =>  SOCKETS
select sport, | from sockets  =>  SOCKETS
select * from sockets where |  =>  SOCKETS
select * from sockets where sport = 1 and |  =>  SOCKETS
select count(*) from fds group by |  =>  FDS
select fd from fds order by |  =>  fd, pid, type, inode, tid
select fd from fds group by fd having |  =>  fd, pid, type, inode, tid
select count(| from fds  =>  FDS
select count(|) from fds  =>  FDS
select max(pid, |) from fds  =>  FDS
select (|) from fds  =>  FDS
select pid + | from fds  =>  FDS
select 2 * | from fds  =>  FDS
select not | from fds  =>  FDS
select -| from fds  =>  FDS
select pid from FDS where |  =>  FDS
select | from "fds"  =>  FDS
select | from [fds]  =>  FDS
select | from `fds`  =>  FDS
select | from temp.fds  =>  FDS
select | from (fds)  =>  FDS
select | from unknown  =>
select | from /* sockets, */ fds -- processes  =>  FDS
select pid from fds where pid between | and 9  =>  FDS
select pid from fds where pid in (1, |)  =>  FDS
select case when | from fds  =>  FDS
select case when pid then | from fds  =>  FDS
select case pid when 1 then 2 else | end from fds  =>  FDS
select pid from fds limit |  =>
select pid is not distinct from |, 1 from fds  =>  FDS
# without FROM: the columns of all tables
select |  =>  pid, fd, type, inode, name, parent, ...
select spo|  =>  sport
select coo|  =>  cookie
select resident_usage, | from   =>  pid, fd, ...
# the typed part
select s| from sockets  =>  state, src, sport
select st| from sockets  =>  state, sport
select STA| from sockets  =>  state
select r| from sockets  =>  recv_queue, rtt
select ru| from processes  =>  resident_usage
select usage| from processes  =>  resident_usage
select res_us| from processes  =>  resident_usage
select rsug| from processes  =>  resident_usage
select time| from processes  =>  start_time
select queue| from sockets  =>  recv_queue
select rq| from sockets  =>  recv_queue
select xyz| from sockets  =>
select src|_other from sockets  =>  src
select 12| from sockets  =>
select t| from fds  =>  type, tid
# qualified names
select sockets.| from sockets  =>  SOCKETS
select s.| from sockets s  =>  SOCKETS
select s.| from sockets as s where s.sport = 1  =>  SOCKETS
select s.sp| from sockets s join fds f using(inode)  =>  sport
select f.|, s.sport from sockets s, fds f  =>  FDS
select S.| from sockets s  =>  SOCKETS
select "my s".| from sockets as "my s"  =>  SOCKETS
select fds.|  =>  FDS
select x.| from sockets s  =>
select sockets.| from sockets s  =>
select s . | from sockets s  =>  SOCKETS
select count(s.|) from sockets s  =>  SOCKETS
# several tables: what would be ambiguous is qualified, what USING merges is not
select | from fds join processes using(pid)  =>
    pid, fd, type, inode, name, parent, resident_usage, start_time, fds., processes., tid
select | from fds natural join processes  =>
    pid, fd, type, inode, name, parent, resident_usage, start_time, fds., processes., tid
select | from fds f join processes p on f.pid = p.pid  =>
    f.pid, fd, type, inode, p.pid, name, parent, resident_usage, start_time, f., p., tid
select p| from fds f, processes p  =>  p., f.pid, p.pid, parent
select so| from fds f, sockets socks  =>  socks., sport
# tables
select * from |  =>  fds, processes, sockets
select * from s|  =>  sockets
select * from ss|  =>  processes, sockets
select * from fds, |  =>  processes, sockets, fds
select * from (|  =>  fds, processes, sockets
select * from (fds join |)  =>  processes, sockets, fds
select * from temp.|  =>  fds, processes, sockets
update |  =>  fds, processes, sockets
insert into |  =>  fds, processes, sockets
delete from |  =>  fds, processes, sockets
drop table |  =>  fds, processes, sockets
pragma table_info(|)  =>  fds, processes, sockets
explain query plan select * from |  =>  fds, processes, sockets
# those first that have the columns named so far, that can be joined, that are new
select sport, state from |  =>  sockets, fds, processes
select name, count(parent) from |  =>  processes, fds, sockets
select * from processes join |  =>  fds, sockets, processes
select * from sockets left join |  =>  fds, processes, sockets
# statements that write (to temporary tables)
update fds set |  =>  FDS
update fds set fd = |  =>  FDS
update fds set fd = 1, |  =>  FDS
update fds set fd = 1 where |  =>  FDS
delete from fds where |  =>  FDS
insert into fds (|  =>  FDS
insert into fds (pid, |  =>  FDS
insert into fds select | from sockets  =>  SOCKETS
create temp table t as select | from fds  =>  FDS
create temp table t as select pid from |  =>  fds, processes, sockets
# common table expressions and subqueries
with l as (select sport from sockets) select | from l  =>  sport
with l as (select sport as p, 1 + 1 from sockets) select | from l  =>  p
with l(a, b) as (select 1, sport from sockets) select l.| from l  =>  a, b
with l as (select * from fds) select | from l  =>  pid, fd, type, inode
with l as (values (1, 2)) select | from l  =>  column1, column2
with l as (select 1 as x) select * from |  =>  l, fds, processes, sockets
with a as (select pid from fds), b as (select * from a) select b.| from b  =>  pid
with l as (select | from fds) select * from l  =>  FDS
with l as (select | from fds) select * from sockets  =>  FDS
with recursive t as (select pid, parent from processes union all select | from t)  =>
    pid, parent
with recursive up(pid, at) as (select pid, 0 from processes union all
    select p.parent, u.| from up u join processes p using(pid)) select * from up  =>
    pid, at
with loop as (select * from loop) select | from loop  =>
with l as (select 1 as x) select |  =>  pid, fd, type, inode, ...
select x.| from (select pid as p, fd from fds) x  =>  p, fd
select | from (select count(*) n, fd from fds)  =>  n, fd
select | from (select f.* from fds f, sockets)  =>  pid, fd, type, inode
select * from (select | from fds)  =>  FDS
select * from (select | from fds  =>  FDS
select * from (select pid from fds) where |  =>  pid
select * from (select pid from fds), (select | from processes)  =>  PROCESSES
select * from fds where inode in (select | from sockets)  =>
    family, state, src, sport, recv_queue, inode, pid, fd, type, fds.inode, cookie, rtt, tid
select * from fds f where exists (select 1 from sockets where inode = f.|)  =>
    inode, pid, fd, type, tid
select (select fds.| from sockets) from fds  =>  FDS
select * from fds where inode in (select inode from |)  =>  fds, sockets, processes
select pid from fds union select | from processes  =>  PROCESSES
select | from fds union select parent from processes  =>  FDS
select key from fds, json_each(|)  =>  pid, fd, fds.type, inode, ...
select j.| from fds, json_each(type) j  =>  key, value, type, atom, id, parent, fullkey, path
# output columns
select type as kind, count(*) as n from fds group by |  =>  kind, FDS
select type as kind, count(*) as n from fds group by 1 order by |  =>  kind, n, FDS
select type kind, count(*) n from fds group by 1 order by n|  =>  n
select lower(type) as low from fds having l|  =>  low
select f.fd from fds f order by f|  =>  f.fd, fd
select pid as one from fds union select pid as two from fds order by |  =>  one
# only the statement that the cursor is in
select 1; select | from fds; select * from sockets  =>  FDS
select ';' from sockets; select | from fds  =>  FDS
select * from sockets where s|; select * from fds  =>  state, src, sport
select a from sockets;↵↵select |↵from fds↵  =>  FDS
# new names, comments, texts
select pid as | from fds  =>
select * from fds as |  =>
with |  =>
with l(|  =>
create temp table |  =>
-- select |  =>
select 1 -- from |  =>
select /* from |  =>
select /* from | */ pid from fds  =>
select /**/| from fds  =>  FDS
select 'from |  =>
select 'it''s from |  =>
select 'p|id' from fds  =>
select * from sockets where src = '|  =>
select 'pid'| from fds  =>
select "pid"| from fds  =>
# quoted names
select "p| from fds  =>  pid"
select "p|" from fds  =>  pid
select `ty| from fds  =>  type`
select [in|] from fds  =>  inode
select * from "f|  =>  fds"
select f."p| from fds f  =>  pid"
select "p| from fds join processes on 1  =>  pid", parent"
# parameters
select * from fds where pid = :|  =>  port, pid
select * from fds where pid = :pi|  =>  pid
select * from fds where pid = $|  =>  port, pid
select * from fds where pid = @po|  =>  port
"""
)

#: Values of closed sets: nothing else is offered within a literal.
VALUES = cases(
    r"""
select * from sockets where state = '|  =>  ESTABLISHED', LISTEN', CLOSE_WAIT'
select * from sockets where state='|  =>  ESTABLISHED', LISTEN', CLOSE_WAIT'
select * from sockets where state = '|'  =>  ESTABLISHED, LISTEN, CLOSE_WAIT
select * from sockets where state = 'L|  =>  LISTEN'
select * from sockets where state = 'li|'  =>  LISTEN
select * from sockets where state = 'cw|  =>  CLOSE_WAIT'
select * from sockets where state = 'wait|  =>  CLOSE_WAIT'
select * from sockets where state = 'LIS|TEN'  =>  LISTEN, ESTABLISHED
select * from sockets where state == '|  =>  ESTABLISHED', LISTEN', CLOSE_WAIT'
select * from sockets where state <> '|  =>  ESTABLISHED', LISTEN', CLOSE_WAIT'
select * from sockets where state != '|  =>  ESTABLISHED', LISTEN', CLOSE_WAIT'
select * from sockets where state is not '|  =>  ESTABLISHED', LISTEN', CLOSE_WAIT'
select * from sockets where state not like '|  =>  ESTABLISHED', LISTEN', CLOSE_WAIT'
select * from sockets where state in ('|  =>  ESTABLISHED', LISTEN', CLOSE_WAIT'
select * from sockets where state in ('LISTEN', '|  =>  ESTABLISHED', CLOSE_WAIT'
select * from sockets where state not in ('|', 'LISTEN')  =>  ESTABLISHED, CLOSE_WAIT
select * from sockets s where s.state = '|  =>  ESTABLISHED', LISTEN', CLOSE_WAIT'
select * from sockets s where s.state in ('L|  =>  LISTEN'
select * from sockets where State = '|  =>  ESTABLISHED', LISTEN', CLOSE_WAIT'
select * from sockets where "state" = '|  =>  ESTABLISHED', LISTEN', CLOSE_WAIT'
select * from sockets where family = '|  =>  inet', inet6', unix'
select * from sockets where family = 'i|  =>  inet', inet6'
select * from fds where type = '|  =>  socket', pipe', bpf-map'
select * from fds where type = 'bpf-|  =>  bpf-map'
select * from fds where type = 'bpf|-map'  =>  bpf-map
select * from sockets where state = '| and sport = 22  =>  ESTABLISHED', LISTEN', CLOSE_WAIT'
select * from sockets where state = '| and src = 'x'  =>  ESTABLISHED', LISTEN', CLOSE_WAIT'
select * from sockets where sport = '|  =>
select * from sockets where lower(state) = '|  =>
select * from sockets where state + '|  =>
select * from sockets where x.state = '|  =>
select case state when '| from sockets  =>  ESTABLISHED', LISTEN', CLOSE_WAIT'
select case state when '|' then 1 end from sockets  =>  ESTABLISHED, LISTEN, CLOSE_WAIT
select case s.state when 'LISTEN' then 1 when '|' then 2 end from sockets s  =>
    ESTABLISHED, LISTEN, CLOSE_WAIT
select count(*) filter (where type = '|') from fds  =>  socket, pipe, bpf-map
select x.k from (select type as k from fds) x where x.k = '|  =>  socket', pipe', bpf-map'
with l as (select state from sockets) select * from l where state = '|  =>
    ESTABLISHED', LISTEN', CLOSE_WAIT'
select * from fds where exists (select 1 from sockets where type = '|  =>
    socket', pipe', bpf-map'
update fds set type = '|  =>  socket', pipe', bpf-map'
# without the quote they come first, and bring it
select * from sockets where state = |  =>  'ESTABLISHED', 'LISTEN', 'CLOSE_WAIT', family, ...
select * from sockets where state = lis|  =>  'LISTEN', 'ESTABLISHED'
select * from sockets where state in (|  =>
    'ESTABLISHED', 'LISTEN', 'CLOSE_WAIT', select, family, ...
select * from sockets where state is |  =>
    null, not null, 'ESTABLISHED', 'LISTEN', 'CLOSE_WAIT', ...
"""
)

#: Join conditions, and what else is about joining.
JOINS = cases(
    r"""
select * from sockets join fds |  =>
    using(inode), on sockets.inode = fds.inode, using, on, join, ...
select * from sockets s join fds f |  =>  using(inode), on s.inode = f.inode, ...
select * from sockets left join fds as f |  =>  using(inode), on sockets.inode = f.inode, ...
select * from sockets join fds u|  =>  using(inode), using, union all, union
SELECT * FROM sockets JOIN fds |  =>  USING(inode), ON sockets.inode = fds.inode, USING, ON, ...
select * from sockets join fds using(inode) join processes |  =>
    using(pid), on fds.pid = processes.pid, ...
select * from fds a join fds b |  =>
    using(pid), using(inode), on a.pid = b.pid, on a.inode = b.inode, using, ...
select * from fds join processes on 1 join fds b |  =>
    using(inode), on fds.pid = b.pid, on fds.inode = b.inode, on processes.pid = b.pid, ...
select * from sockets join processes |  =>  using, on, join, ...
select * from sockets natural join fds |  =>  join, left join, natural join, ...
select * from sockets, fds |  =>  join, left join, ...
select * from sockets join fds on |  =>  sockets.inode = fds.inode, family, ...
select * from sockets s join fds f on |  =>  s.inode = f.inode, family, ...
select * from sockets s join fds f on s.inode = f.inode and |  =>  s.inode = f.inode, ...
select * from sockets s join fds f on s.inode = |  =>  f.inode, family, ...
select * from sockets s join fds f on s.inode = f.|  =>  inode, pid, ...
select * from sockets s join fds f on f.|  =>  inode, pid, ...
select * from sockets s join fds f on s.|  =>  inode, family, ...
select * from sockets join fds using |  =>  (inode)
select * from sockets join fds using(|  =>  inode
select * from sockets join fds using (|)  =>  inode
select * from sockets join fds using (inode, |)  =>
select * from sockets join fds using (inode |)  =>
select * from (sockets join fds using (|  =>  inode
select * from (select inode as i, inode from sockets) s join fds |  =>
    using(inode), on s.inode = fds.inode, ...
select * from (select inode from sockets) join fds |  =>  using(inode), using, ...
with l as (select pid from fds) select * from l join processes |  =>
    using(pid), on l.pid = processes.pid, ...
"""
)

#: Keywords alone.
WORDS = cases(
    r"""
|  =>  select, with, explain query plan, explain, ...
s|  =>  select
sel|  =>  select
SEL|  =>  SELECT
S|  =>  SELECT
Sel|  =>  select
exp|  =>  explain query plan, explain
explain |  =>  query plan, select, with, values, ...
explain query |  =>  plan
explain query plan |  =>  select, with, values, ...
select 1;|  =>
select 1; |  =>  select, with, ...
select 1; sel|  =>  select
select | from fds  =>  distinct, case, cast, exists, not, null, all
select pid |  =>  from, as, and, or, ...
select pid fr|  =>  from
SELECT pid |  =>  FROM, AS, ...
SELECT pid fr|  =>  from
select pid FR|  =>  FROM
select pid, |  =>  case, cast, exists, not, null
select * |  =>  from, as, ...
select f.* |  =>  from, as, ...
select count(*) |  =>  from, as, ...
select count(|  =>  distinct, case, cast, exists, not, null
select row_number() o|  =>  or, over
select row_number() over (|  =>  partition by, order by, rows between, range between
select row_number() over (partition |  =>  by
select row_number() over (partition by pid |  =>  order by
select row_number() over (order by pid d|  =>  desc
select count(*) filter (|  =>  where
select cast(pid |  =>  as, and, ...
select cast(pid as |  =>  integer, text, real, blob, numeric
select cast(pid as i|  =>  integer
select case |  =>  when, ...
select case when pid |  =>  then, and, or, ...
select case when pid then fd |  =>  when, else, end, and, ...
select case when pid then fd else 1 |  =>  end, and, ...
select case when pid then fd else 1 end |  =>  from, as, ...
select * from fds |  =>  join, left join, natural join, ...
select * from fds w|  =>  where
select * from fds f w|  =>  where
select * from fds gr|  =>  group by
select * from fds group |  =>  by
select * from fds GROUP |  =>  BY
select * from fds order |  =>  by
select * from fds left |  =>  join, outer join
select * from fds natural |  =>  join, left join
select * from fds cross |  =>  join
select * from fds where pid |  =>  and, or, group by, order by, limit, ...
select * from fds where pid i|  =>  intersect, in, is, is null, is not null, not in
select * from fds where pid = 1 |  =>  and, or, group by, ...
select * from fds where pid is |  =>  null, not null, not, distinct from
select * from fds where pid is not |  =>  null, distinct from
select * from fds where pid not |  =>  in, like, between, null, glob, regexp
select * from fds where not |  =>  case, cast, exists, not, null
select * from fds where exists (|  =>  select, values, with
select * from fds where pid in |  =>
select * from fds where type like 'x' |  =>  and, or, ...
select * from fds where type collate |  =>  nocase, binary, rtrim
select * from fds group by pid |  =>  having, order by, limit, ...
select * from fds group by pid having count(*) |  =>  and, or, order by, limit, ...
select * from fds order by pid |  =>  desc, asc, limit, nulls last, ...
select * from fds order by pid desc |  =>  nulls last, nulls first, limit
select * from fds order by pid nulls |  =>  last, first
select * from fds limit |  =>
select * from fds limit 5 |  =>  offset
select * from fds limit 5 offset |  =>
select 1 union |  =>  all, select, values
select 1 union all |  =>  select, values
select 1 except |  =>  select, values
with |  =>  recursive
with l |  =>  as
with l as |  =>  materialized, not materialized
with l as (|  =>  select, values, with
with l as (select 1) |  =>  select, values
with l as (select 1) s|  =>  select
select * from (|  =>  select, values, with
select * from (fds |)  =>  join, left join, ...
insert |  =>  into
insert into fds |  =>  select, values, with, default values
delete |  =>  from
update fds |  =>  set
update fds set pid = 1 |  =>  where, ...
create |  =>  temp table, temp view
create temp |  =>  table, view
create temp table t |  =>  as
create temp view v as |  =>  select, values, with
drop |  =>  table, view, index
pragma table_i|  =>  table_info, table_list, table_xinfo
nonsense |  =>
"""
)

#: Functions alone.
CALLS = cases(
    r"""
select | from fds  =>  inet_in(, count(*), count(, lower(, row_number()
select inet| from sockets  =>  inet_in(
select ii| from sockets  =>  inet_in(
select in|(src, '10.0.0.0/8') from sockets  =>  inet_in
select cou|  =>  count(*), count(
select cou|(*)  =>  count
select * from fds where |  =>  inet_in(, lower(
select pid from fds group by |  =>  inet_in(, lower(
select pid from fds group by 1 having |  =>  inet_in(, count(*), count(, lower(
select pid from fds order by |  =>  inet_in(, count(*), count(, lower(, row_number()
select count(*) filter (where |  =>  inet_in(, lower(
select * from fds, |  =>  json_each(, json_tree(
select * from fds, json_t|  =>  json_tree(
select pid |  =>
select fds.| from fds  =>
select "| from fds  =>
"""
)


@pytest.mark.parametrize(("line", "expected"), NAMES)
def test_names_that_are_visible_at_the_cursor(line: str, expected: list[str]) -> None:
    check(texts(answer(line), ALIAS, COLUMN, TABLE, PARAMETER, VALUE), expected)


@pytest.mark.parametrize(("line", "expected"), VALUES)
def test_values_of_closed_sets(line: str, expected: list[str]) -> None:
    check(texts(answer(line)), expected)


@pytest.mark.parametrize(("line", "expected"), JOINS)
def test_join_conditions_from_shared_columns(line: str, expected: list[str]) -> None:
    check(texts(answer(line)), expected)


@pytest.mark.parametrize(("line", "expected"), WORDS)
def test_keywords_that_can_follow(line: str, expected: list[str]) -> None:
    check(texts(answer(line), KEYWORD), expected)


@pytest.mark.parametrize(("line", "expected"), CALLS)
def test_functions_where_they_are_allowed(line: str, expected: list[str]) -> None:
    check(texts(answer(line), FUNCTION), expected)


def test_there_are_enough_cases() -> None:
    assert sum(map(len, (NAMES, VALUES, JOINS, WORDS, CALLS))) > 300
