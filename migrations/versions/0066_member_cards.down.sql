DROP TABLE member_card;
