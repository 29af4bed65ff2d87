DROP TABLE debt_request;
