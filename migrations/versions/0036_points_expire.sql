-- Who was told that points expire at a moment. A row is the telling; it is never changed.
CREATE TABLE points_reminder (
    community_id bigint NOT NULL,
    member_id uuid NOT NULL,
    expires_at timestamptz NOT NULL,
    reminded_at timestamptz NOT NULL,
    CONSTRAINT pk_points_reminder PRIMARY KEY (community_id, member_id, expires_at)
);
GRANT SELECT, INSERT ON points_reminder TO linli_app;
GRANT SELECT ON points_reminder TO linli_audit;

-- Communities that were founded before get the values that a new one starts with.
INSERT INTO setting (community_id, name, effective_from, revision, value, set_at)
SELECT c.community_id, s.name, DATE '2000-01-01', 1, s.value, c.founded_at
  FROM community c
 CROSS JOIN (VALUES ('points_expire_months', 0), ('points_expire_at_year_end', 0), ('points_expire_grace_days', 30)) AS s (name, value)
    ON CONFLICT ON CONSTRAINT pk_setting DO NOTHING;
