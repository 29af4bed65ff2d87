DROP TABLE answered;
DROP TABLE outbox;
DROP TABLE audit;
