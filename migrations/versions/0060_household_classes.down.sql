DROP TABLE entitlement;
DROP TABLE household_class;
