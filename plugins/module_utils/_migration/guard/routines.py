# SPDX-License-Identifier: GPL-3.0-or-later
"""Functions and procedures that the migrations define, unread until one is called, and PostgreSQL's own.

`read_dynamic` reads the text that EXECUTE will run out of the expression that makes it.
"""

from __future__ import annotations

import hashlib
import json
import re
import typing as t
from dataclasses import dataclass
from functools import cached_property

from .parser import (
    HOLE,
    Name,
    Node,
    Parsed,
    Types,
    constant_text,
    input_types,
    items,
    options_of,
    parse,
    parse_expression,
    parse_plpgsql,
    strings,
    to_name,
    type_name,
    words,
)

STABLE: t.Final = words(
    """
    abs acos asin atan atan2 cbrt ceil ceiling cos cosh degrees div exp factorial floor gcd lcm ln log log10 mod pi
    power radians round scale sign sin sinh sqrt tan tanh trunc width_bucket greatest least numnonnulls numnulls avg
    bit_and bit_or bool_and bool_or count every max min sum string_agg array_agg json_agg jsonb_agg json_object_agg
    jsonb_object_agg xmlagg mode percentile_cont percentile_disc stddev variance corr any_value range_agg row_number
    rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value ascii btrim bit_length
    char_length character_length chr concat concat_ws convert_from convert_to decode encode format initcap left
    length lower lpad ltrim md5 normalize octet_length overlay parse_ident position quote_ident quote_literal
    quote_nullable regexp_count regexp_instr regexp_like regexp_match regexp_matches regexp_replace
    regexp_split_to_array regexp_split_to_table regexp_substr repeat replace reverse right rpad rtrim sha224 sha256
    sha384 sha512 split_part starts_with strpos substr substring to_ascii to_hex translate trim unistr upper
    array_append array_cat array_dims array_fill array_length array_lower array_ndims array_position array_positions
    array_prepend array_remove array_replace array_to_json array_to_string array_upper cardinality string_to_array
    string_to_table trim_array unnest generate_series generate_subscripts age current_date current_time
    current_timestamp date_bin date_part date_trunc extract isfinite justify_days justify_hours justify_interval
    localtime localtimestamp make_date make_interval make_time make_timestamp make_timestamptz now
    statement_timestamp timezone to_char to_date to_number to_timestamp transaction_timestamp date timestamp
    timestamptz interval text int4 int8 float8 numeric bool varchar json_array_elements json_array_elements_text
    json_array_length json_build_array json_build_object json_each json_each_text json_extract_path
    json_extract_path_text json_object json_object_keys json_populate_record json_populate_recordset
    json_strip_nulls json_to_record json_to_recordset json_typeof jsonb_array_elements jsonb_array_elements_text
    jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text jsonb_extract_path
    jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_keys jsonb_path_exists jsonb_path_match
    jsonb_path_query jsonb_path_query_array jsonb_path_query_first jsonb_populate_record jsonb_populate_recordset
    jsonb_pretty jsonb_set jsonb_set_lax jsonb_strip_nulls jsonb_to_record jsonb_to_recordset jsonb_typeof
    row_to_json to_json to_jsonb setweight to_tsquery to_tsvector plainto_tsquery phraseto_tsquery
    websearch_to_tsquery tsvector_to_array ts_rank ts_rank_cd ts_headline similarity word_similarity unaccent strip
    int4range int8range numrange tsrange tstzrange daterange isempty lower_inc lower_inf upper_inc upper_inf
    range_merge network host family masklen netmask current_database current_catalog current_role current_schema
    current_schemas current_setting current_user session_user version pg_backend_pid pg_typeof col_description
    obj_description format_type has_any_column_privilege has_column_privilege has_database_privilege
    has_function_privilege has_schema_privilege has_sequence_privilege has_table_privilege has_type_privilege
    pg_has_role pg_get_constraintdef pg_get_expr pg_get_function_arguments pg_get_function_identity_arguments
    pg_get_function_result pg_get_functiondef pg_get_indexdef pg_get_serial_sequence pg_get_triggerdef
    pg_get_userbyid pg_get_viewdef pg_table_is_visible pg_total_relation_size pg_relation_size pg_table_size
    pg_size_pretty pg_function_is_visible pg_type_is_visible to_regclass to_regnamespace to_regproc to_regprocedure
    to_regrole to_regtype pg_is_in_recovery pg_trigger_depth hashtext hashtextextended
    digest hmac crypt armor dearmor st_makepoint st_point st_setsrid
    st_geomfromtext st_geogfromtext st_distance st_dwithin st_x st_y st_asgeojson st_astext st_contains st_within
    st_intersects earth_distance ll_to_earth earth_box
    """
)
"""Their value is the same within one statement for the same arguments, so a column default of them rewrites nothing."""

VOLATILE: t.Final = words(
    """
    random random_normal gen_random_uuid gen_random_bytes gen_salt uuid_generate_v1 uuid_generate_v1mc
    uuid_generate_v4 uuidv4 uuidv7 clock_timestamp timeofday nextval currval lastval setseed pg_advisory_lock
    pg_advisory_xact_lock pg_advisory_unlock pg_try_advisory_lock pg_try_advisory_xact_lock pg_notify txid_current
    pg_current_xact_id moddatetime raise
    """
)
"""Another value each time, and no harm."""

TYPES: t.Final = words(
    """
    bit varbit bool bytea char varchar bpchar name text citext date time timetz timestamp timestamptz interval int2 int4
    int8 float4 float8 numeric decimal money oid uuid json jsonb jsonpath xml inet cidr macaddr macaddr8 point line lseg
    box path polygon circle tsvector tsquery int4range int8range numrange tsrange tstzrange daterange int4multirange
    int8multirange nummultirange tsmultirange tstzmultirange datemultirange pg_lsn regclass regproc regtype regrole
    regnamespace smallserial serial bigserial serial2 serial4 serial8 hstore ltree vector geometry geography
    """
)
"""Types of PostgreSQL and of its common extensions, as their statements name them: none of them is a domain."""

_SCHEMAS: t.Final[t.Mapping[str, frozenset[str] | None]] = {
    "pg_catalog": None,
    "extensions": None,
    "auth": frozenset({"uid", "role", "jwt", "email"}),
    "pgmq": frozenset({"send", "send_batch"}),
    "storage": frozenset({"foldername", "filename", "extension"}),
}


@dataclass(frozen=True)
class Signature:
    """`types`, `names` (empty where it has none) and `optional` (how many of the last have defaults) are of inputs."""

    types: Types
    names: tuple[str, ...]
    optional: int = 0
    variadic: bool = False
    procedure: bool = False
    returns_set: bool = False
    columns: tuple[tuple[str, Name], ...] = ()
    """Name and type of each column of the result; one without a name for a plain type."""


Columns: t.TypeAlias = "t.Mapping[str, str | None]"
"""To their types as in pg_type.typname, None where that cannot be told."""


def is_type(name: Name) -> bool:
    return name.schema == "pg_catalog" or (name.schema is None and name.name in TYPES)


def is_stable(schema: str | None, name: str) -> bool:
    return name in _known_in(schema, STABLE)


def is_harmless(schema: str | None, name: str) -> bool:
    """Known by name. Whether a function of the database hides one without a schema is asked elsewhere."""
    return name in _known_in(schema, _HARMLESS)


_HARMLESS: t.Final = STABLE | VOLATILE


def _known_in(schema: str | None, names: frozenset[str]) -> frozenset[str]:
    own = _SCHEMAS.get("pg_catalog" if schema is None else schema, frozenset())
    return names if own is None else own


@dataclass(frozen=True)
class Routine:
    """`sql` is the whole CREATE; `options` are its clauses by name."""

    name: Name
    types: Types
    sql: str
    options: t.Mapping[str, Node]
    sql_body: Node | None
    set_path: Node | None
    """The VariableSetStmt of its own search path."""

    @property
    def volatile(self) -> bool:
        return strings([self.options.get("volatility", {})]) in ([], ["volatile"])

    @property
    def language(self) -> str:
        named = strings([self.options["language"]]) if "language" in self.options else ()
        return named[0].lower() if named else "sql"

    @property
    def text(self) -> str:
        parts = strings(items(self.options["as"])) if "as" in self.options else []
        return parts[0] if parts else ""

    @cached_property
    def statements(self) -> list[Parsed]:
        """Of a body in SQL; raises UnparsableError."""
        if self.sql_body is None:
            return parse(self.text)
        nodes = [part for each in items(self.sql_body) for part in items(each)]
        return [Parsed(node, self.sql) for node in nodes]

    @cached_property
    def plpgsql(self) -> Node:
        """Raises UnparsableError."""
        return parse_plpgsql(self.sql)


def read_definition(sql: str) -> Routine:
    """Of pg_get_functiondef."""
    [parsed] = parse(sql)
    return read_routine(parsed.node["CreateFunctionStmt"], sql)


def read_routine(body: Node, sql: str) -> Routine:
    """Of a CreateFunctionStmt that `sql` consists of."""
    set_path: Node | None = None
    for option in body.get("options", ()):
        setting = option["DefElem"].get("arg", {}).get("VariableSetStmt", {})
        if setting.get("name", "").lower() == "search_path":
            set_path = setting
    return Routine(
        name=to_name(strings(body["funcname"])),
        types=input_types(body.get("parameters", ())),
        sql=sql,
        options=options_of(body),
        sql_body=body.get("sql_body"),
        set_path=set_path,
    )


_PLACE = re.compile(r"%(?:(\d+)\$)?-?\d*([sIL%])")
_NAMES_OF_OBJECTS = ("regclass", "regrole", "regnamespace")
_LOCATIONS = re.compile(r'"(?:arg_)?location": -?\d+,? ?')


class Text(t.NamedTuple):
    """Names and values that only the run knows are made up; `whole` is false where more than such is missing."""

    sql: str
    whole: bool


Values: t.TypeAlias = "t.Mapping[str, t.Sequence[str]]"
"""Of variables by their names, and of fields as `record.field`; of an array all of them."""


def read_texts(expression: str, values: Values) -> t.Sequence[str] | None:
    """Of a text or an array of texts that are written out."""
    node = parse_expression(expression) or {}
    name = ".".join(strings(node.get("ColumnRef", {}).get("fields", ())))
    if name in values:
        return values[name]
    node = with_values(node, values)
    while "TypeCast" in node and constant_text(node) is None:
        node = node["TypeCast"].get("arg", {})
    listed = node["A_ArrayExpr"].get("elements", []) if "A_ArrayExpr" in node else [node]
    texts = [constant_text(each) for each in listed]
    return None if None in texts else t.cast("list[str]", texts)


def with_values(node: t.Any, values: Values) -> t.Any:
    if isinstance(node, list):
        return [with_values(each, values) for each in node]
    if not isinstance(node, dict) or not values:
        return node
    texts = values.get(".".join(strings(node.get("ColumnRef", {}).get("fields", ()))), ())
    if len(texts) == 1:
        return {"A_Const": {"sval": {"sval": texts[0]}}}
    return {key: with_values(each, values) for key, each in node.items()}


def read_dynamic(expression: str, values: Values) -> Text | None:
    """None when nothing of it can be told."""
    value = parse_expression(expression)
    text = None if value is None else _render(with_values(value, values))
    return text if text and text.sql.strip() and not text.sql.startswith(HOLE) else None


def _render(node: Node) -> Text:
    constant = constant_text(node)
    if constant is not None:
        return Text(constant, whole=True)
    if "TypeCast" in node:
        return _render_cast(node)
    if "A_Expr" in node and strings(node["A_Expr"].get("name", ())) == ["||"]:
        return _joined(node["A_Expr"].get(side, {}) for side in ("lexpr", "rexpr"))
    if "FuncCall" in node:
        return _render_call(node)
    return _hole(node, whole=False)


def _render_cast(node: Node) -> Text:
    target = type_name(node["TypeCast"]["typeName"]).name
    if target == "text":
        return _render(node["TypeCast"].get("arg", {}))
    return _hole(node, whole=target in _NAMES_OF_OBJECTS)


def _render_call(node: Node) -> Text:
    call = node["FuncCall"]
    name, arguments = strings(call["funcname"])[-1], call.get("args", [])
    if name == "format" and arguments:
        return _render_format(arguments)
    if name == "quote_ident":
        return _hole(node, whole=True)
    if name in ("quote_literal", "quote_nullable"):
        return Text("'...'", whole=True)
    if name == "concat":
        return _joined(arguments)
    return _hole(node, whole=False)


def _joined(nodes: t.Iterable[Node]) -> Text:
    parts = [_render(node) for node in nodes]
    return Text("".join(part.sql for part in parts), all(part.whole for part in parts))


def _render_format(arguments: list[Node]) -> Text:
    template = constant_text(arguments[0])
    if template is None:
        return _hole(arguments[0], whole=False)
    whole, following = True, 1

    def fill(match: re.Match[str]) -> str:
        nonlocal whole, following
        if match[2] == "%":
            return "%"
        at = int(match[1]) if match[1] else following
        following = at + 1
        value = arguments[at] if at < len(arguments) else {}
        if match[2] == "L":
            return "'...'"
        if match[2] == "I":
            known = _render(value)
            if not known.whole or HOLE in known.sql:
                return _hole(value, whole=True).sql
            return '"' + known.sql.replace('"', '""') + '"'
        text = _render(value)
        whole = whole and text.whole
        return text.sql

    return Text(_PLACE.sub(fill, template), whole)


def _hole(node: Node, *, whole: bool) -> Text:
    """A name made up: the same for the same expression, so that what is dropped and made again is one."""
    written = _LOCATIONS.sub("", json.dumps(node, sort_keys=True))
    return Text(HOLE + hashlib.sha256(written.encode()).hexdigest()[:12], whole)
