-- What a database consists of, as lines that can be compared. $1: the schemas to look at.
-- NOT NULL is part of a column's line; since PostgreSQL 18 it is a constraint too, which would make versions differ.
WITH schemas AS (SELECT oid, nspname FROM pg_namespace WHERE nspname = ANY ($1::text[])),
owned AS (SELECT objid FROM pg_depend WHERE deptype = 'e')
SELECT CASE c.relkind WHEN 'v' THEN 'view ' ELSE 'column ' END || n.nspname || '.' || c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
       || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
       || CASE a.attidentity WHEN 'a' THEN ' identity always' WHEN 'd' THEN ' identity by default' ELSE '' END
       || CASE a.attgenerated WHEN 's' THEN ' stored' WHEN 'v' THEN ' virtual' ELSE '' END
       || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')
       || coalesce(' collate ' || nullif(o.collname, 'default'), '') AS line
  FROM pg_attribute a
  JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'v', 'm')
  JOIN schemas n ON n.oid = c.relnamespace
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  LEFT JOIN pg_collation o ON o.oid = a.attcollation
 WHERE a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT 'constraint ' || n.nspname || '.' || c.relname || '.' || k.conname || ' ' || pg_get_constraintdef(k.oid)
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN schemas n ON n.oid = c.relnamespace
 WHERE k.contype <> 'n'
UNION ALL
SELECT 'index ' || pg_get_indexdef(i.indexrelid)
  FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN schemas n ON n.oid = c.relnamespace
UNION ALL
SELECT 'table ' || n.nspname || '.' || c.relname || ' ' || c.relpersistence::text || ' ' || c.relrowsecurity
       || coalesce(' ' || array_to_string(c.reloptions, ','), '')
  FROM pg_class c JOIN schemas n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p')
UNION ALL
SELECT 'grant on ' || n.nspname || '.' || c.relname || ' ' || x.privilege_type || ' to ' || coalesce(r.rolname, 'PUBLIC')
  FROM pg_class c JOIN schemas n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL aclexplode(c.relacl) x LEFT JOIN pg_roles r ON r.oid = x.grantee
UNION ALL
SELECT 'grant on ' || n.nspname || '.' || c.relname || '.' || a.attname || ' ' || x.privilege_type || ' to ' || coalesce(r.rolname, 'PUBLIC')
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN schemas n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL aclexplode(a.attacl) x LEFT JOIN pg_roles r ON r.oid = x.grantee
UNION ALL
SELECT 'function ' || n.nspname || '.' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ') '
       || md5(pg_get_functiondef(p.oid)) || ' ' || coalesce(array_to_string(p.proacl, ','), 'everyone')
  FROM pg_proc p JOIN schemas n ON n.oid = p.pronamespace
 WHERE p.prokind IN ('f', 'p') AND p.oid NOT IN (SELECT objid FROM owned)
UNION ALL
SELECT 'type ' || n.nspname || '.' || t.typname || ' ' || t.typtype::text
  FROM pg_type t JOIN schemas n ON n.oid = t.typnamespace
 WHERE t.typtype IN ('d', 'e', 'c') AND t.oid NOT IN (SELECT objid FROM owned)
   AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind <> 'c')
UNION ALL
SELECT 'trigger ' || n.nspname || '.' || c.relname || '.' || g.tgname
  FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid JOIN schemas n ON n.oid = c.relnamespace
 WHERE NOT g.tgisinternal
UNION ALL
SELECT 'policy ' || n.nspname || '.' || c.relname || '.' || p.polname
  FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN schemas n ON n.oid = c.relnamespace
UNION ALL
SELECT 'schema ' || n.nspname || ' ' || coalesce(n.nspacl::text, '') FROM pg_namespace n JOIN schemas USING (oid)
 ORDER BY 1
