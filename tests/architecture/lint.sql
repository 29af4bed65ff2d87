-- Every row is a fault of the catalogue. $1: schemas of ours; $2: tables, with schema, that belong to no community.
-- The rules keep two roads open: one community per shard, and a history that the database itself defends.
WITH t AS (
    SELECT c.oid, n.nspname || '.' || c.relname AS name, c.relname, n.nspname || '.' || c.relname = ANY ($2::text[]) AS shared
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = ANY ($1::text[]) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
), owned AS (
    SELECT * FROM t WHERE NOT shared
), tenant AS (
    SELECT a.attrelid, a.attnum FROM pg_attribute a
     WHERE a.attname = 'community_id' AND a.attnotnull AND a.atttypid = 'bigint'::regtype AND NOT a.attisdropped
)
SELECT name, 'has no community_id bigint not null' AS why, '' AS what
  FROM owned WHERE oid NOT IN (SELECT attrelid FROM tenant)
UNION ALL
SELECT name, 'has no primary key', '' FROM t
 WHERE NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = t.oid AND i.indisprimary)
UNION ALL
SELECT d.name, 'a key does not begin with community_id', i.indexrelid::regclass::text
  FROM owned d JOIN pg_index i ON i.indrelid = d.oid AND (i.indisunique OR i.indisexclusion)
 WHERE NOT EXISTS (SELECT FROM tenant WHERE tenant.attrelid = d.oid AND tenant.attnum = (i.indkey::int2[])[0])
UNION ALL
SELECT d.name, 'a foreign key does not begin with community_id on both sides', k.conname
  FROM owned d
  JOIN pg_constraint k ON k.conrelid = d.oid AND k.contype = 'f'
  JOIN owned p ON p.oid = k.confrelid
 WHERE NOT EXISTS (SELECT FROM tenant a, tenant b
                    WHERE a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
                      AND b.attrelid = k.confrelid AND b.attnum = k.confkey[1])
UNION ALL
SELECT t.name, 'a foreign key crosses into another schema', k.conname
  FROM t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'f'
  JOIN pg_class p ON p.oid = k.confrelid JOIN pg_class c ON c.oid = t.oid WHERE p.relnamespace <> c.relnamespace
UNION ALL
SELECT t.name, 'ON DELETE or ON UPDATE does more than refuse', k.conname
  FROM t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'f'
 WHERE k.confdeltype NOT IN ('a', 'r') OR k.confupdtype NOT IN ('a', 'r')
UNION ALL
SELECT t.name, 'a shared table points at a community''s', k.conname
  FROM t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'f' JOIN owned d ON d.oid = k.confrelid WHERE t.shared
UNION ALL
SELECT t.name, 'has a trigger', g.tgname FROM t JOIN pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal
UNION ALL
SELECT t.name, 'counts in something narrower than bigint', a.attname
  FROM t JOIN pg_attribute a ON a.attrelid = t.oid AND a.atttypid IN ('int2'::regtype, 'int4'::regtype)
 WHERE a.attidentity <> '' OR pg_get_serial_sequence(t.name, a.attname) IS NOT NULL
UNION ALL
SELECT t.name, 'a value is not an integer', a.attname
  FROM t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE a.atttypid IN ('real'::regtype, 'double precision'::regtype, 'numeric'::regtype, 'money'::regtype)
UNION ALL
SELECT t.name, 'an instant has no time zone', a.attname
  FROM t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE a.atttypid IN ('timestamp'::regtype, 'time'::regtype)
UNION ALL
SELECT t.name, 'has a native enum, which cannot be changed under load', a.attname
  FROM t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_type y ON y.oid = a.atttypid AND y.typtype = 'e'
UNION ALL
SELECT t.name, 'a constraint is not named by the habit', k.conname
  FROM t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype IN ('p', 'u', 'f', 'c', 'x')
 WHERE k.conname !~ ('^' || CASE k.contype WHEN 'p' THEN 'pk' WHEN 'u' THEN 'uq' WHEN 'f' THEN 'fk'
                                           WHEN 'c' THEN 'ck' ELSE '(ex|uq)' END || '_' || t.relname || '(_|$)')
UNION ALL
SELECT t.name, 'an index is not named by the habit', c.relname
  FROM t JOIN pg_index i ON i.indrelid = t.oid JOIN pg_class c ON c.oid = i.indexrelid
 WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
   AND c.relname !~ ('^(ix|uq)_' || t.relname || '_')
 ORDER BY 1, 2, 3
