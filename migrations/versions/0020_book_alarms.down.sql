DROP TABLE book_alarm;
