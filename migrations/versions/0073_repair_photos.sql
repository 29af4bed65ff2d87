-- What repairs are shown by: photos, the lines of a price, the kind of work and who can do it.

ALTER TABLE repair_order ADD COLUMN trade TEXT NOT NULL DEFAULT 'other';
ALTER TABLE repair_order ADD CONSTRAINT ck_repair_order_trade CHECK (trade = ANY (ARRAY['water'::text, 'power'::text, 'appliance'::text, 'lock'::text, 'furniture'::text, 'other'::text])) NOT VALID;
ALTER TABLE repair_order VALIDATE CONSTRAINT ck_repair_order_trade;

CREATE TABLE repair_part (
    community_id BIGINT NOT NULL,
    order_id UUID NOT NULL,
    revision INTEGER NOT NULL,
    number INTEGER NOT NULL,
    item TEXT NOT NULL,
    unit TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    fen_each BIGINT NOT NULL,
    CONSTRAINT pk_repair_part PRIMARY KEY (community_id, order_id, revision, number),
    CONSTRAINT ck_repair_part_price CHECK (quantity > 0 AND fen_each >= 0 AND fen_each % 5 = 0 AND number > 0),
    CONSTRAINT fk_repair_part_order FOREIGN KEY(community_id, order_id) REFERENCES repair_order (community_id, order_id)
);

CREATE TABLE repair_photo (
    community_id BIGINT NOT NULL,
    photo_id UUID NOT NULL,
    order_id UUID NOT NULL,
    moment TEXT NOT NULL,
    added_by UUID NOT NULL,
    added_at TIMESTAMP WITH TIME ZONE NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    digest BYTEA NOT NULL,
    content BYTEA NOT NULL,
    CONSTRAINT pk_repair_photo PRIMARY KEY (community_id, photo_id),
    CONSTRAINT uq_repair_photo_digest UNIQUE (community_id, order_id, digest),
    CONSTRAINT ck_repair_photo_moment CHECK (moment = ANY (ARRAY['before'::text, 'after'::text])),
    CONSTRAINT ck_repair_photo_size CHECK (octet_length(content) > 0 AND octet_length(content) <= 2000000 AND octet_length(digest) = 32),
    CONSTRAINT fk_repair_photo_order FOREIGN KEY(community_id, order_id) REFERENCES repair_order (community_id, order_id),
    CONSTRAINT fk_repair_photo_added_by FOREIGN KEY(community_id, added_by) REFERENCES member (community_id, member_id)
);

CREATE TABLE repair_skill (
    community_id BIGINT NOT NULL,
    member_id UUID NOT NULL,
    trade TEXT NOT NULL,
    written_by UUID NOT NULL,
    written_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_repair_skill PRIMARY KEY (community_id, member_id, trade),
    CONSTRAINT ck_repair_skill_trade CHECK (trade = ANY (ARRAY['water'::text, 'power'::text, 'appliance'::text, 'lock'::text, 'furniture'::text, 'other'::text])),
    CONSTRAINT fk_repair_skill_member FOREIGN KEY(community_id, member_id) REFERENCES member (community_id, member_id)
);

GRANT SELECT, INSERT ON repair_part, repair_photo TO linli_app;
GRANT SELECT, INSERT, DELETE ON repair_skill TO linli_app;
GRANT SELECT ON repair_part, repair_skill TO linli_audit;
-- What an auditor sees of a photo is that there is one, and never what is in it.
GRANT SELECT (community_id, photo_id, order_id, moment, added_by, added_at, width, height, digest) ON repair_photo TO linli_audit;
