DROP TABLE fund_income;
