DROP TABLE price;
DROP TABLE setting;
DROP TABLE organisation;
DROP TABLE household;
DROP TABLE building;
DROP TABLE grid;
DROP TABLE community;
