CREATE TABLE community (
    community_id BIGINT NOT NULL, 
    name TEXT NOT NULL, 
    official_code TEXT, 
    street_code TEXT, 
    street TEXT NOT NULL, 
    phone TEXT NOT NULL, 
    founded_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT pk_community PRIMARY KEY (community_id)
);

CREATE TABLE grid (
    community_id BIGINT NOT NULL, 
    grid_id UUID NOT NULL, 
    name TEXT NOT NULL, 
    CONSTRAINT pk_grid PRIMARY KEY (community_id, grid_id), 
    CONSTRAINT uq_grid_name UNIQUE (community_id, name), 
    CONSTRAINT fk_grid_community FOREIGN KEY(community_id) REFERENCES community (community_id)
);

CREATE TABLE building (
    community_id BIGINT NOT NULL, 
    building_id UUID NOT NULL, 
    grid_id UUID NOT NULL, 
    name TEXT NOT NULL, 
    CONSTRAINT pk_building PRIMARY KEY (community_id, building_id), 
    CONSTRAINT uq_building_name UNIQUE (community_id, name), 
    CONSTRAINT fk_building_grid FOREIGN KEY(community_id, grid_id) REFERENCES grid (community_id, grid_id)
);

CREATE TABLE household (
    community_id BIGINT NOT NULL, 
    household_id UUID NOT NULL, 
    building_id UUID NOT NULL, 
    door_sealed BYTEA NOT NULL, 
    door_index BYTEA NOT NULL, 
    CONSTRAINT pk_household PRIMARY KEY (community_id, household_id), 
    CONSTRAINT uq_household_door UNIQUE (community_id, building_id, door_index), 
    CONSTRAINT fk_household_building FOREIGN KEY(community_id, building_id) REFERENCES building (community_id, building_id)
);

CREATE TABLE organisation (
    community_id BIGINT NOT NULL, 
    organisation_id UUID NOT NULL, 
    kind TEXT NOT NULL, 
    name TEXT NOT NULL, 
    address TEXT NOT NULL, 
    phone TEXT NOT NULL, 
    opened_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    closed_at TIMESTAMP WITH TIME ZONE, 
    CONSTRAINT pk_organisation PRIMARY KEY (community_id, organisation_id), 
    CONSTRAINT uq_organisation_name UNIQUE (community_id, name), 
    CONSTRAINT ck_organisation_kind CHECK (kind = ANY (ARRAY['merchant'::text, 'repair_team'::text, 'partner'::text, 'social'::text, 'office'::text])), 
    CONSTRAINT fk_organisation_community FOREIGN KEY(community_id) REFERENCES community (community_id)
);

CREATE TABLE setting (
    community_id BIGINT NOT NULL, 
    name TEXT NOT NULL, 
    effective_from DATE NOT NULL, 
    revision INTEGER NOT NULL, 
    value BIGINT NOT NULL, 
    set_by UUID, 
    set_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT pk_setting PRIMARY KEY (community_id, name, effective_from, revision), 
    CONSTRAINT ck_setting_revision CHECK (revision >= 1), 
    CONSTRAINT fk_setting_community FOREIGN KEY(community_id) REFERENCES community (community_id)
);

CREATE TABLE price (
    community_id BIGINT NOT NULL, 
    organisation_id UUID NOT NULL, 
    item TEXT NOT NULL, 
    effective_from DATE NOT NULL, 
    unit TEXT NOT NULL, 
    fen_min BIGINT NOT NULL, 
    fen_max BIGINT NOT NULL, 
    fen_cap BIGINT, 
    includes_material BOOLEAN NOT NULL, 
    rounding_note TEXT NOT NULL, 
    CONSTRAINT pk_price PRIMARY KEY (community_id, organisation_id, item, effective_from), 
    CONSTRAINT ck_price_range CHECK (fen_min >= 0 AND fen_max >= fen_min AND (fen_cap IS NULL OR fen_cap >= fen_max)), 
    CONSTRAINT fk_price_organisation FOREIGN KEY(community_id, organisation_id) REFERENCES organisation (community_id, organisation_id)
);

GRANT SELECT, INSERT, UPDATE ON community, grid, building, household, organisation TO linli_app;
-- Dated lines: what once held is never changed.
GRANT SELECT, INSERT ON setting, price TO linli_app;
GRANT SELECT ON community, grid, building, organisation, setting, price TO linli_audit;
