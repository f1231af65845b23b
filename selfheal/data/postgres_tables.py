"""Which tables does a PostgreSQL database have, and what is in them?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from selfheal.data.asset import Tell, untold
from selfheal.data.postgres_tools import StatementFailed, Talk, literal, quoted
from selfheal.errors import DataFailed

# Tables that hold rows of their own and that a dump holds too: none of extensions, which bring theirs along.
# What has been written is counted by the server. It forgets that in a crash, and then says so in `stats_reset`.
# A type whose text can change without a write: reg*, which show the names of other things.
_TABLES = """
SELECT n.nspname AS schema, c.relname AS name, c.oid::bigint AS oid, pg_table_size(c.oid) AS size,
    EXISTS (SELECT FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND t.typname LIKE 'reg%') AS restless,
    md5(concat_ws('|', pg_relation_filenode(c.oid),
        (SELECT string_agg(concat_ws(',', attname, atttypid, atttypmod, attisdropped, atthasmissing), ';'
            ORDER BY attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND attnum > 0),
        s.n_tup_ins, s.n_tup_upd, s.n_tup_del,
        (SELECT stats_reset FROM pg_stat_database WHERE datname = current_database()),
        (SELECT stats_reset FROM pg_stat_bgwriter),
        (SELECT string_agg(concat_ws(',', enumtypid, enumlabel), ';' ORDER BY oid) FROM pg_enum),
        (SELECT string_agg(extname || extversion, ';' ORDER BY oid) FROM pg_extension),
        current_setting('server_version_num'))) AS writes
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
        AND d.deptype = 'e')
ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Found:
    """A table. `size` is in bytes, `restless` says that its text may change with nobody writing to it."""

    schema: str
    name: str
    oid: int
    size: int
    restless: bool
    writes: str

    @property
    def full(self) -> str:
        """Its name for people."""
        return f"{self.schema}.{self.name}"

    @property
    def sql(self) -> str:
        """Its name in a statement."""
        return f"{quoted(self.schema)}.{quoted(self.name)}"


def tables(talk: Talk) -> list[Found]:
    """All tables, with what has been written to them so far."""
    return [Found(**row) for row in talk.rows(_TABLES)]


def read(talk: Talk, table: Found, *, sums: bool = True) -> tuple[int, str]:
    """Read all of a table: how many rows, and an aggregate over everything in them. The order does not matter."""
    whole = "coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text" if sums else "''"
    row = talk.row(f"SELECT count(*) AS rows, {whole} AS sums FROM ONLY {table.sql} t")
    return int(row["rows"]), str(row["sums"])


def counts(talk: Talk, tell: Tell = untold) -> dict[str, float]:
    """The rows of all tables."""
    found = tables(talk)
    return dict(_counted(talk, found, tell))


def _counted(talk: Talk, found: list[Found], tell: Tell) -> Iterator[tuple[str, float]]:
    for done, table in enumerate(found):
        tell("counting rows", done / len(found))
        try:
            yield table.full, float(read(talk, table, sums=False)[0])
        except StatementFailed as why:
            raise DataFailed(f"cannot count the rows of the table {table.full}: {why.words}", why.cause) from why


def database(talk: Talk, name: str) -> Mapping[str, object] | None:
    """How a database was made: owner, encoding, sort order, settings, rights. None where there is none of that name."""
    rows = talk.rows(f"""
        SELECT to_jsonb(d) AS made, pg_get_userbyid(d.datdba) AS owner, pg_encoding_to_char(d.encoding) AS encoding,
            (SELECT spcname FROM pg_tablespace s WHERE s.oid = d.dattablespace) AS tablespace,
            (SELECT coalesce(jsonb_agg(jsonb_build_array(r.rolname, x.setting)), '[]') FROM pg_db_role_setting s
                LEFT JOIN pg_roles r ON r.oid = s.setrole CROSS JOIN LATERAL unnest(s.setconfig) AS x(setting)
                WHERE s.setdatabase = d.oid AND x.setting NOT LIKE 'selfheal.%') AS settings,
            (SELECT coalesce(jsonb_agg(jsonb_build_array(CASE WHEN a.grantee = 0 THEN NULL
                ELSE pg_get_userbyid(a.grantee) END, a.privilege_type, a.is_grantable)), '[]')
                FROM aclexplode(d.datacl) a WHERE d.datacl IS NOT NULL) AS rights, d.datacl IS NULL AS common,
            shobj_description(d.oid, 'pg_database') AS comment
        FROM pg_database d WHERE d.datname = {literal(name)}""")
    return rows[0] if rows else None
