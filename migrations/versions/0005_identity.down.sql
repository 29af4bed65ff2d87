DROP TABLE sign_in_try;
DROP TABLE session;
DROP TABLE activation;
DROP TABLE member_secret;
DROP TABLE login;
DROP TABLE member_role;
DROP TABLE member;
