DROP TABLE year_line, year_movement, year_total, year_close, period_closing;
