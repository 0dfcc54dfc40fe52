-- What running code may rely on, a line each; of a table by its number, for only its name goes when it is renamed. What
-- is only wider or may be more is the same line: varchar as text, a function by each number of arguments that it can be
-- called with, an index or policy by its name.
WITH rel AS (
  SELECT c.*, CASE WHEN relkind IN ('r', 'p') THEN c.oid::text ELSE format('%I.%I', n.nspname, c.relname) END AS named,
    format('%I.%I', n.nspname, c.relname) AS shown
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
), fn AS (
  SELECT p.*, format('%I.%I', n.nspname, p.proname) AS named FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
)
SELECT concat_ws(' ', 'relation', shown, relkind) FROM rel
UNION ALL SELECT concat_ws(' ', 'same', shown, oid) FROM rel WHERE relkind IN ('r', 'p', 'm', 'S', 'f')
UNION ALL SELECT concat_ws(' ', 'state', named, relrowsecurity, relforcerowsecurity, relpersistence, relreplident = 'n', relispartition)
  FROM rel WHERE relkind IN ('r', 'p', 'v', 'm', 'S')
UNION ALL SELECT concat_ws(' ', 'options of', named, reloptions) FROM rel WHERE relkind = 'v'
UNION ALL SELECT concat_ws(' ', 'column', rel.named, quote_ident(attname), CASE WHEN atttypid = 'varchar'::regtype THEN 'text' ELSE atttypid::regtype::text END)
  FROM pg_attribute a JOIN rel ON rel.oid = attrelid WHERE attnum > 0 AND NOT attisdropped AND relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
UNION ALL SELECT concat_ws(' ', 'nullable', rel.named, quote_ident(attname))
  FROM pg_attribute a JOIN rel ON rel.oid = attrelid WHERE attnum > 0 AND NOT attisdropped AND NOT attnotnull AND relkind IN ('r', 'p')
  AND NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = rel.oid AND pg_get_constraintdef(oid) LIKE format('CHECK ((%I IS NOT NULL))%%', attname))
UNION ALL SELECT concat_ws(' ', 'default', rel.named, quote_ident(attname), attidentity, attgenerated)
  FROM pg_attribute a JOIN rel ON rel.oid = attrelid WHERE attnum > 0 AND NOT attisdropped AND (atthasdef OR attidentity <> '') AND relkind IN ('r', 'p')
UNION ALL SELECT concat_ws(' ', 'constraint', rel.named, quote_ident(conname), contype, CASE WHEN contype IN ('p', 'u') THEN conkey::text END) FROM pg_constraint k JOIN rel ON rel.oid = conrelid WHERE contype <> 'n'
UNION ALL SELECT concat_ws(' ', 'index', indrelid, k, array(SELECT pg_get_indexdef(indexrelid, n, true) || ' ' || indoption[n - 1] || ' ' || indclass[n - 1] FROM generate_series(1, k) n)::text,
  (SELECT relam FROM pg_class WHERE oid = indexrelid), pg_get_expr(indpred, indrelid)) FROM pg_index i JOIN rel ON rel.oid = indexrelid, generate_series(1, indnkeyatts) k WHERE indisvalid
UNION ALL SELECT concat_ws(' ', 'child', inhrelid::regclass, inhparent::regclass, inhdetachpending) FROM pg_inherits
UNION ALL SELECT concat_ws(' ', 'no parent', rel.named) FROM rel WHERE relkind IN ('r', 'p') AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = rel.oid)
UNION ALL SELECT concat_ws(' ', 'callable', named, k, array_to_string((proargtypes::regtype[])[0 : k - 1], ','), prorettype::regtype, proretset, prokind, proargnames[1 : k])
  FROM fn, generate_series((pronargs - pronargdefaults)::int, pronargs::int) k
UNION ALL SELECT concat_ws(' ', 'result', named, array(SELECT proallargtypes[n]::regtype || ' ' || proargnames[n] FROM generate_subscripts(proallargtypes, 1) n WHERE proargmodes[n] IN ('o', 'b', 't') ORDER BY n)::text)
  FROM fn WHERE proallargtypes IS NOT NULL
UNION ALL SELECT concat_ws(' ', 'policy', rel.named, polname) FROM pg_policy p JOIN rel ON rel.oid = polrelid
UNION ALL SELECT concat_ws(' ', 'no restriction', rel.named) FROM rel WHERE relkind IN ('r', 'p') AND NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = rel.oid AND NOT polpermissive)
UNION ALL SELECT concat_ws(' ', 'trigger', rel.named, tgname, tgenabled) FROM pg_trigger t JOIN rel ON rel.oid = tgrelid WHERE NOT tgisinternal
UNION ALL SELECT concat_ws(' ', 'rule', rel.named, rulename, ev_enabled) FROM pg_rewrite JOIN rel ON rel.oid = ev_class
UNION ALL SELECT concat_ws(' ', 'no rule', rel.named) FROM rel WHERE relkind IN ('r', 'p') AND NOT relhasrules
UNION ALL SELECT concat_ws(' ', 'type', t.oid::regtype, typtype, typnotnull) FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND typtype IN ('e', 'd', 'r')
UNION ALL SELECT concat_ws(' ', 'same type', t.oid::regtype, t.oid) FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND typtype IN ('e', 'd', 'r')
UNION ALL SELECT concat_ws(' ', 'label', enumtypid, enumlabel) FROM pg_enum
UNION ALL SELECT concat_ws(' ', 'domain checks', t.oid::regtype, array(SELECT conname FROM pg_constraint WHERE contypid = t.oid ORDER BY 1)) FROM pg_type t WHERE typtype = 'd'
UNION ALL SELECT concat_ws(' ', 'schema', nspname, nspowner) FROM pg_namespace n WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
UNION ALL SELECT concat_ws(' ', 'extension', extname) FROM pg_extension
UNION ALL SELECT concat_ws(' ', 'collation', collnamespace::regnamespace, collname) FROM pg_collation WHERE oid >= 16384
UNION ALL SELECT concat_ws(' ', 'operator', oprnamespace::regnamespace, oprname, oprleft, oprright) FROM pg_operator WHERE oid >= 16384
UNION ALL SELECT concat_ws(' ', 'cast', castsource, casttarget) FROM pg_cast WHERE oid >= 16384
UNION ALL SELECT concat_ws(' ', 'statistics', stxnamespace::regnamespace, stxname) FROM pg_statistic_ext
UNION ALL SELECT concat_ws(' ', 'sequence', s.seqrelid, seqincrement, seqmax, seqmin, seqstart, seqcycle) FROM pg_sequence s
UNION ALL SELECT concat_ws(' ', 'granted', named, 'owner', relowner) FROM rel
UNION ALL SELECT concat_ws(' ', 'granted', named, 'owner', proowner) FROM fn
-- An old function, not one that was made again, is as closed as it was.
UNION ALL SELECT concat_ws(' ', 'made', named, replace(oidvectortypes(proargtypes), ' ', ''), oid) FROM fn
UNION ALL SELECT concat_ws(' ', 'closed', named, replace(oidvectortypes(proargtypes), ' ', '')) FROM fn
  WHERE NOT EXISTS (SELECT FROM aclexplode(coalesce(proacl, acldefault('f', proowner))) WHERE grantee = 0)
UNION ALL SELECT concat_ws(' ', 'granted', rel.named, (x).grantee, (x).privilege_type)
  FROM (SELECT named, aclexplode(coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner))) AS x FROM rel WHERE relkind IN ('r', 'p', 'v', 'm', 'S')) rel
UNION ALL SELECT concat_ws(' ', 'granted', nspname, 'schema', (x).grantee, (x).privilege_type)
  FROM (SELECT nspname, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) AS x FROM pg_namespace n WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema') s
UNION ALL SELECT concat_ws(' ', 'granted', attrelid, attnum, (x).grantee, (x).privilege_type) FROM (SELECT attrelid, attnum, aclexplode(attacl) AS x FROM pg_attribute WHERE attacl IS NOT NULL) a
UNION ALL SELECT concat_ws(' ', 'granted', fn.named || '(' || replace(oidvectortypes(proargtypes), ' ', '') || ')', (x).grantee, (x).privilege_type) FROM (SELECT named, proargtypes, aclexplode(coalesce(proacl, acldefault('f', proowner))) AS x FROM fn) fn
UNION ALL SELECT concat_ws(' ', 'role', rolname, rolsuper, rolcanlogin, rolbypassrls, rolconfig) FROM pg_roles WHERE rolname !~ '^pg_'
UNION ALL SELECT concat_ws(' ', 'member', roleid, member) FROM pg_auth_members
UNION ALL SELECT concat_ws(' ', 'default privileges', d.oid, (x).grantee, (x).privilege_type) FROM (SELECT oid, aclexplode(defaclacl) AS x FROM pg_default_acl) d
UNION ALL SELECT concat_ws(' ', 'setting', current_setting('session_replication_role'))
