DROP TABLE wish_event;
DROP TABLE wish;
