CREATE TABLE service_time (
    community_id BIGINT NOT NULL,
    record_id UUID NOT NULL,
    member_id UUID NOT NULL,
    starts_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ends_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_service_time PRIMARY KEY (community_id, record_id),
    CONSTRAINT fk_service_time_record FOREIGN KEY(community_id, record_id) REFERENCES service_record (community_id, record_id),
    CONSTRAINT ck_service_time_order CHECK (starts_at < ends_at),
    CONSTRAINT ex_service_time_overlap EXCLUDE USING gist (community_id WITH =, member_id WITH =, tstzrange(starts_at, ends_at) WITH &&),
    CONSTRAINT fk_service_time_member FOREIGN KEY(community_id, member_id) REFERENCES member (community_id, member_id)
);
GRANT SELECT, INSERT, DELETE ON service_time TO linli_app;
GRANT SELECT ON service_time TO linli_audit;

-- What stands in the record keeps its time, whoever was recorded first. Where two services were counted for one time
-- before this rule, both stay in the record, which is never rewritten, and the first holds the time.
INSERT INTO service_time (community_id, record_id, member_id, starts_at, ends_at)
SELECT r.community_id, r.record_id, r.member_id, s.starts_at, s.ends_at
  FROM service_record r
  JOIN (SELECT a.community_id, a.record_id, greatest(a.checked_in_at, h.starts_at) AS starts_at, least(a.checked_out_at, h.ends_at) AS ends_at
          FROM attendance a
          JOIN shift h ON h.community_id = a.community_id AND h.shift_id = a.shift_id
         WHERE a.record_id IS NOT NULL AND a.checked_out_at IS NOT NULL
         UNION ALL
        SELECT w.community_id, x.record_id, w.served_from_at, w.served_from_at + make_interval(mins => w.served_minutes)
          FROM wish w
          JOIN service_record x ON x.community_id = w.community_id AND x.reference = 'wish:' || w.wish_id || ':confirmed') s
    ON s.community_id = r.community_id AND s.record_id = r.record_id
 WHERE r.corrects IS NULL AND s.starts_at < s.ends_at
   AND NOT EXISTS (SELECT FROM service_record c WHERE c.community_id = r.community_id AND c.corrects = r.record_id)
 ORDER BY r.confirmed_at, r.record_id
    ON CONFLICT DO NOTHING;

ALTER TABLE service_record
    DROP CONSTRAINT ck_service_record_minutes,
    ADD CONSTRAINT ck_service_record_minutes CHECK (
        (corrects IS NULL AND minutes >= 0 AND points_hundredths >= 0 AND minutes + points_hundredths > 0)
        OR (corrects IS NOT NULL AND minutes <= 0 AND points_hundredths <= 0 AND minutes + points_hundredths < 0));
