DROP FUNCTION redemption.book_bank_lines;
DROP TABLE bank_line;
DROP TABLE bank_list;
DROP TABLE bank_columns;
